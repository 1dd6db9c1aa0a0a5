//! The algorithms, once for each arithmetic: a ladder, Elligator 2, and whether a point is on the curve.
//!
//! A macro, for a function that is compiled for instructions cannot be generic over who has them. Nothing here
//! branches or indexes on values; the scalar is the same for all lanes and decides in `Choice` only.
#![forbid(unsafe_code)]

use super::{A24, COEFFICIENT, ROW_BYTES};
use zeroize::Zeroizing;

type Row = [u8; ROW_BYTES];

/// As many rows as there are lanes, the last ones repeated where there are no more.
fn group<const N: usize>(rows: &[Row]) -> [Row; N] {
    std::array::from_fn(|lane| rows[lane.min(rows.len() - 1)])
}

/// 0 where all bytes are, else 1.
fn nonzero(row: Row) -> u8 {
    let any = row.into_iter().fold(0, |any, byte| any | byte);
    (any | any.wrapping_neg()) >> 7
}

macro_rules! lanes {
    ($name:ident $(, #[$feature:meta])?) => {
        pub mod $name {
            use super::super::$name::{Choice, Field, Wide, LANES};
            use super::*;

            /// The product of each point with one scalar, a multiple of eight below 2^255; zeros for a point
            /// of small order.
            $(#[$feature])?
            pub fn multiply(rows: &mut [Row], scalar: &Row) {
                let groups = rows.chunks(LANES).map(|rows| ladder(&Field::from_bytes(&group(rows)), scalar));
                let points: Zeroizing<Vec<_>> = Zeroizing::new(groups.collect());
                divide(&points, rows);
            }

            /// `map_to_curve_elligator2_curve25519` of each field element (RFC 9380, section 6.7.1), the
            /// first coordinate.
            $(#[$feature])?
            pub fn map(rows: &mut [Row]) {
                let groups = rows.chunks(LANES).map(|rows| elligator(&Field::from_bytes(&group(rows))));
                let points: Zeroizing<Vec<_>> = Zeroizing::new(groups.collect());
                divide(&points, rows);
            }

            /// The first row that is no coordinate of a point on the curve, but on its twist; 0 is one.
            $(#[$feature])?
            pub fn off_curve(rows: &[Row]) -> Option<usize> {
                rows.chunks(LANES).enumerate().find_map(|(at, rows)| {
                    let u = Field::from_bytes(&group(rows));
                    let inner = u.wide().add(&Field::small(COEFFICIENT).wide()).narrow().mul(&u);
                    let inner = inner.add(&Field::small(1).wide()).narrow();
                    let square = is_square(&u.mul(&inner).narrow()); // u^3 + A u^2 + u
                    square.iter().take(rows.len()).position(|bit| *bit == 0).map(|lane| at * LANES + lane)
                })
            }

            /// `(X : Z)` of each lane's point times the scalar: RFC 7748, section 5.
            ///
            /// Not the points are swapped, but which of the two is doubled is chosen: the sum is the same.
            /// The lowest bit is zero, so there is nothing to choose at the end.
            $(#[$feature])?
            fn ladder(u: &Field, scalar: &Row) -> (Field, Field) {
                let (mut x2, mut z2) = (Field::small(1).wide(), Field::small(0).wide());
                let (mut x3, mut z3) = (u.wide(), Field::small(1).wide());
                let mut before = 0;
                for at in (0..255).rev() {
                    let bit = scalar[at / 8] >> (at % 8) & 1;
                    let swap = Choice::all(std::hint::black_box(bit ^ before));
                    before = bit;
                    let (a, b) = (x2.add(&z2).narrow(), x2.sub(&z2).narrow());
                    let (c, d) = (x3.add(&z3).narrow(), x3.sub(&z3).narrow());
                    let (da, cb) = (d.mul(&a), c.mul(&b));
                    x3 = da.add(&cb).narrow().square();
                    z3 = u.mul(&da.sub(&cb).narrow().square().narrow());
                    (x2, z2) = double(&Field::select(swap, &c, &a), &Field::select(swap, &d, &b));
                }
                (x2.narrow(), z2.narrow())
            }

            /// Twice a point, from the sum and the difference of its coordinates.
            $(#[$feature])?
            #[inline]
            fn double(sum: &Field, difference: &Field) -> (Wide, Wide) {
                let (aa, bb) = (sum.square(), difference.square());
                let e = aa.sub(&bb).narrow();
                (aa.narrow().mul(&bb.narrow()), e.mul(&aa.add_multiple(&e, A24).narrow()))
            }

            /// Numerator and denominator of the point that an element maps to; never 0 below, for -2 is no square.
            ///
            /// With `t = 2 r^2` and `d = 1 + t` the candidates are `-A/d` and `-At/d`, and the curve's
            /// equation holds for the first if `-A d (d^2 - A^2 t)` is a square: what it is there, times d^4.
            $(#[$feature])?
            fn elligator(r: &Field) -> (Field, Field) {
                let (one, a) = (Field::small(1), Field::small(COEFFICIENT));
                let square = r.square().narrow();
                let t = square.wide().add(&square.wide()).narrow();
                let d = t.wide().add(&one.wide()).narrow();
                let at = t.mul(&a).narrow();
                let inner = d.square().sub(&at.mul(&a)).narrow();
                let negated = Field::small(0).wide().sub(&d.mul(&a).narrow().wide()).narrow();
                let first = Choice::each(is_square(&negated.mul(&inner).narrow()));
                let numerator = Field::select(first, &a, &at);
                (Field::small(0).wide().sub(&numerator.wide()).narrow(), d)
            }

            /// Write the quotient of each pair: one inversion for all (Montgomery's trick). Of a zero below
            /// comes zero, and no harm to another.
            $(#[$feature])?
            fn divide(pairs: &[(Field, Field)], rows: &mut [Row]) {
                let one = Field::small(1);
                let mut product = one;
                let mut before = Zeroizing::new(Vec::with_capacity(pairs.len()));
                for (_, z) in pairs {
                    let some = Choice::each(z.to_bytes().map(nonzero));
                    let z = Field::select(some, z, &one);
                    before.push((product, z));
                    product = product.mul(&z).narrow();
                }
                let mut inverse = invert(&product);
                let groups = pairs.iter().zip(before.iter()).zip(rows.chunks_mut(LANES)).rev();
                for (((x, z), (before, divisor)), rows) in groups {
                    let own = before.mul(&inverse).narrow();
                    inverse = inverse.mul(divisor).narrow();
                    let some = Choice::each(z.to_bytes().map(nonzero));
                    let quotient = Field::select(some, &x.mul(&own).narrow(), &Field::small(0)).to_bytes();
                    rows.iter_mut().zip(quotient).for_each(|(row, quotient)| *row = quotient);
                }
            }

            /// 1 for each lane that is a square other than zero, else 0: by Euler's criterion, whose 1 is odd
            /// and whose -1 and 0 are even.
            $(#[$feature])?
            fn is_square(x: &Field) -> [u8; LANES] {
                let x6 = x.square().narrow().mul(x).narrow().square().narrow();
                let (e250, _) = power_chain(x);
                square_times(&e250, 4).mul(&x6).narrow().to_bytes().map(|row| row[0] & 1)
            }

            /// Inverse, `x^(p - 2)`; zero of zero.
            $(#[$feature])?
            fn invert(x: &Field) -> Field {
                let (e250, x11) = power_chain(x);
                square_times(&e250, 5).mul(&x11).narrow()
            }

            /// `x^(2^250 - 1)` and `x^11`.
            $(#[$feature])?
            fn power_chain(x: &Field) -> (Field, Field) {
                let x2 = square_times(x, 1);
                let x9 = square_times(&x2, 2).mul(x).narrow();
                let x11 = x9.mul(&x2).narrow();
                let e5 = square_times(&x11, 1).mul(&x9).narrow(); // x^(2^5 - 1), and so on
                let e10 = square_times(&e5, 5).mul(&e5).narrow();
                let e20 = square_times(&e10, 10).mul(&e10).narrow();
                let e40 = square_times(&e20, 20).mul(&e20).narrow();
                let e50 = square_times(&e40, 10).mul(&e10).narrow();
                let e100 = square_times(&e50, 50).mul(&e50).narrow();
                let e200 = square_times(&e100, 100).mul(&e100).narrow();
                (square_times(&e200, 50).mul(&e50).narrow(), x11)
            }

            /// `2^k`-th power, `k` at least one.
            $(#[$feature])?
            #[inline(never)]
            fn square_times(x: &Field, k: usize) -> Field {
                (1..k).fold(x.square().narrow(), |power, _| power.square().narrow())
            }
        }
    };
}

lanes!(portable);
#[cfg(target_arch = "x86_64")]
lanes!(avx2, #[target_feature(enable = "avx2")]);
#[cfg(target_arch = "x86_64")]
lanes!(ifma, #[target_feature(enable = "avx2,avx512f,avx512dq,avx512ifma")]);
