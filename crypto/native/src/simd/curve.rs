//! Four points of the Edwards curve behind ristretto255 at once: sums and multiples.
//!
//! Formulas: Hisil, Wong, Carter, Dawson, "Twisted Edwards Curves Revisited", ASIACRYPT 2008, complete for
//! a = -1, so that no case needs a branch. "Terms" are those of `field`'s bounds.
#![forbid(unsafe_code)]

use super::field::{Mask, D2, F4, ONE, V};
use std::arch::x86_64::*;
use zeroize::Zeroize;

/// Windows of four bits in a scalar.
pub const DIGITS: usize = 64;
/// A scalar in signed digits from -8 to 8, least significant first.
pub type Digits = [i8; DIGITS];

/// Points in extended coordinates, `x = X/Z`, `y = Y/Z`, `xy = T/Z`, all reduced.
#[derive(Clone, Copy, Zeroize)]
pub struct Point4 {
    /// X.
    pub x: F4,
    /// Y.
    pub y: F4,
    /// Z.
    pub z: F4,
    /// T.
    pub t: F4,
}

/// Points as summands: `Y + X`, `Y - X`, `2Z`, `2dT`; at most three terms each.
#[derive(Clone, Copy)]
pub struct Summand4 {
    /// Y + X, Y - X, 2Z, 2dT.
    pub parts: [F4; 4],
}

/// What the formulas multiply last: `X = EF`, `Y = GH`, `Z = FG`, `T = EH`. `F` has up to nine terms, the
/// others three.
pub struct Factors4 {
    /// E.
    pub e: F4,
    /// F.
    pub f: F4,
    /// G.
    pub g: F4,
    /// H.
    pub h: F4,
}

impl Factors4 {
    /// All four coordinates.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn extended(&self) -> Point4 {
        Point4 {
            x: self.f.mul(&self.e),
            y: self.g.mul(&self.h),
            z: self.f.mul(&self.g),
            t: self.e.mul(&self.h),
        }
    }

    /// Without T, which doubling does not read.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn projective(&self) -> (F4, F4, F4) {
        (self.f.mul(&self.e), self.g.mul(&self.h), self.f.mul(&self.g))
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn double(x: &F4, y: &F4, z: &F4) -> Factors4 {
    let (xx, yy, zz) = (x.square(), y.square(), z.square());
    let h = yy.add(&xx);
    let g = yy.sub(&xx);
    let e = x.add(y).square().sub_sum(&h).carry();
    let f = zz.add(&zz).sub_sum(&g);
    Factors4 { e, f, g, h }
}

impl Point4 {
    /// The identity in every lane.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn identity() -> Self {
        let (zero, one) = (F4::splat(&[0; 10]), F4::splat(&ONE));
        Point4 { x: zero, y: one, z: one, t: zero }
    }

    /// `2^k` times each point, `k` at least one.
    #[target_feature(enable = "avx2")]
    pub fn double_times(&self, k: usize) -> Self {
        let (mut x, mut y, mut z) = (self.x, self.y, self.z);
        for _ in 1..k {
            (x, y, z) = double(&x, &y, &z).projective();
        }
        double(&x, &y, &z).extended()
    }

    /// Each point as a summand.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn summand(&self) -> Summand4 {
        let t2d = self.t.mul(&F4::splat(&D2));
        Summand4 { parts: [self.y.add(&self.x), self.y.sub(&self.x), self.z.add(&self.z), t2d] }
    }

    /// Lane-wise sum.
    #[target_feature(enable = "avx2")]
    pub fn add(&self, other: &Summand4) -> Self {
        let [yp, ym, z2, t2d] = &other.parts;
        self.add_factors(yp, ym, t2d, &self.z.mul(z2))
    }

    /// Lane-wise sum with points whose Z is one.
    #[target_feature(enable = "avx2")]
    fn add_affine(&self, [yp, ym, t2d]: &[F4; 3]) -> Self {
        self.add_factors(yp, ym, t2d, &self.z.add(&self.z))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn add_factors(&self, yp: &F4, ym: &F4, t2d: &F4, z2: &F4) -> Self {
        let plus = self.y.add(&self.x).mul(yp);
        let minus = self.y.sub(&self.x).mul(ym);
        let t = self.t.mul(t2d);
        let factors = Factors4 { e: plus.sub(&minus), f: z2.sub(&t), g: z2.add(&t), h: plus.add(&minus) };
        factors.extended()
    }

    /// Lane by lane, the sum of those points that are chosen. Constant time.
    #[target_feature(enable = "avx2")]
    pub fn chosen_sum(points: &[Self], chosen: &[[bool; 4]]) -> Self {
        let none = Point4::identity().summand();
        let mut sum = Point4::identity();
        for (point, chosen) in points.iter().zip(chosen) {
            let [a, b, c, d] = chosen.map(|chosen| -i64::from(chosen));
            let (mask, own) = (_mm256_set_epi64x(d, c, b, a), point.summand());
            let part = |at: usize| F4::select(Mask(mask), &own.parts[at], &none.parts[at]);
            sum = sum.add(&Summand4 { parts: [part(0), part(1), part(2), part(3)] });
        }
        sum
    }

    /// Each point times the scalar of its lane. Constant time.
    #[target_feature(enable = "avx2")]
    pub fn multiply(&self, digits: [&Digits; 4]) -> Self {
        let own = self.summand();
        let mut table = [own; 8];
        let mut multiple = *self;
        for entry in &mut table[1..] {
            multiple = multiple.add(&own);
            *entry = multiple.summand();
        }
        let mut sum = Point4::identity().add(&select(&table, digits, DIGITS - 1));
        for at in (0..DIGITS - 1).rev() {
            sum = sum.double_times(4).add(&select(&table, digits, at));
        }
        sum
    }
}

/// A digit of each lane, as masks. Choosing by masks reads every entry of a table whatever the digit.
struct Choice4 {
    /// The three bits of `|digit| - 1`, lowest first.
    bits: [Mask; 3],
    /// Where the digit is zero.
    zero: Mask,
    /// Where it is negative.
    negative: Mask,
}

impl Choice4 {
    #[target_feature(enable = "avx2")]
    #[inline]
    fn of(digits: [&Digits; 4], at: usize) -> Self {
        let [a, b, c, d] = digits.map(|digits| i64::from(digits[at]));
        let digit = _mm256_set_epi64x(d, c, b, a);
        let zeros = _mm256_setzero_si256();
        let negative = _mm256_cmpgt_epi64(zeros, digit);
        let size = _mm256_sub_epi64(_mm256_xor_si256(digit, negative), negative);
        let index = _mm256_sub_epi64(size, _mm256_set1_epi64x(1));
        // Each bit in turn at the sign of its 64-bit lane, where a comparison with zero spreads it.
        let bits = [
            _mm256_cmpgt_epi64(zeros, _mm256_slli_epi64::<63>(index)),
            _mm256_cmpgt_epi64(zeros, _mm256_slli_epi64::<62>(index)),
            _mm256_cmpgt_epi64(zeros, _mm256_slli_epi64::<61>(index)),
        ];
        Choice4 {
            bits: bits.map(Mask),
            zero: Mask(_mm256_cmpeq_epi64(size, zeros)),
            negative: Mask(negative),
        }
    }

    /// Of the limbs of eight entries the chosen one, or `none` for digit zero.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn limb(&self, entries: [V; 8], none: V) -> V {
        let [e0, e1, e2, e3, e4, e5, e6, e7] = entries;
        let [low, middle, high] = &self.bits;
        let (pair0, pair1) = (blend(low, e1, e0), blend(low, e3, e2));
        let (pair2, pair3) = (blend(low, e5, e4), blend(low, e7, e6));
        let chosen = blend(high, blend(middle, pair3, pair2), blend(middle, pair1, pair0));
        blend(&self.zero, none, chosen)
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn blend(mask: &Mask, yes: V, no: V) -> V {
    _mm256_blendv_epi8(no, yes, mask.0)
}

/// The multiple of each lane's point that its digit says. Constant time.
#[target_feature(enable = "avx2")]
fn select(table: &[Summand4; 8], digits: [&Digits; 4], at: usize) -> Summand4 {
    let choice = Choice4::of(digits, at);
    let [t0, t1, t2, t3, t4, t5, t6, t7] = table;
    let mut parts = [F4::splat(&[0; 10]); 4];
    // The identity: 1, 1, 2, 0.
    for (part, value) in parts.iter_mut().zip([1, 1, 2]) {
        part.0[0] = _mm256_set1_epi64x(value);
    }
    for (part, value) in parts.iter_mut().enumerate() {
        for (limb, value) in value.0.iter_mut().enumerate() {
            let entry = |entry: &Summand4| entry.parts[part].0[limb];
            let entries =
                [entry(t0), entry(t1), entry(t2), entry(t3), entry(t4), entry(t5), entry(t6), entry(t7)];
            *value = choice.limb(entries, *value);
        }
    }
    Summand4 { parts }.negate_where(choice.negative)
}

impl Summand4 {
    /// The negative; `2dT` must be reduced.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn negative(&self) -> Self {
        let [yp, ym, z2, t2d] = &self.parts;
        Summand4 { parts: [*ym, *yp, *z2, t2d.neg()] }
    }

    /// The negative where the mask is on; `2dT` must be reduced.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn negate_where(&self, negative: Mask) -> Self {
        let [yp, ym, z2, t2d] = &self.parts;
        Summand4 {
            parts: [
                F4::select(negative, ym, yp),
                F4::select(negative, yp, ym),
                *z2,
                t2d.negate_where(negative),
            ],
        }
    }
}

/// Multiples of one public point, for constant-time multiplication by secret scalars.
///
/// Entry `j` of row `i` is `(j + 1) * 256^i * B`, affine: `y + x`, `y - x`, `2dxy`. 30 KiB, to stay in
/// the L1 cache.
pub struct Table {
    rows: Vec<[[[u32; 10]; 3]; 8]>,
}

const ROWS: usize = DIGITS / 2;

impl Table {
    /// The table of the point in the first lane.
    #[target_feature(enable = "avx2")]
    pub fn new(point: &Point4) -> Self {
        let mut bases = vec![*point];
        for row in 1..ROWS {
            bases.push(bases[row - 1].double_times(8));
        }
        let mut multiples = Vec::with_capacity(ROWS * 2);
        for four in bases.chunks_exact(4) {
            let base = Point4::gather_first(four);
            let mut multiple = base;
            multiples.push(base);
            for _ in 1..8 {
                multiple = multiple.add(&base.summand());
                multiples.push(multiple);
            }
        }
        let mut inverses: Vec<F4> = multiples.iter().map(|point| point.z).collect();
        F4::invert_all(&mut inverses);
        let mut rows = vec![[[[0; 10]; 3]; 8]; ROWS];
        for (at, (point, inverse)) in multiples.iter().zip(&inverses).enumerate() {
            let (x, y) = (point.x.mul(inverse), point.y.mul(inverse));
            let entry = [y.add(&x).carry(), y.sub(&x).carry(), x.mul(&y).mul(&F4::splat(&D2))];
            for (part, value) in entry.iter().enumerate() {
                for (lane, limbs) in value.lanes().into_iter().enumerate() {
                    rows[at / 8 * 4 + lane][at % 8][part] = limbs;
                }
            }
        }
        Table { rows }
    }

    /// The point times the scalar of each lane. Constant time.
    #[target_feature(enable = "avx2")]
    pub fn multiply(&self, digits: [&Digits; 4]) -> Point4 {
        let mut sum = Point4::identity();
        for odd in (1..DIGITS).step_by(2) {
            sum = sum.add_affine(&self.select(digits, odd));
        }
        sum = sum.double_times(4);
        for even in (0..DIGITS).step_by(2) {
            sum = sum.add_affine(&self.select(digits, even));
        }
        sum
    }

    #[target_feature(enable = "avx2")]
    fn select(&self, digits: [&Digits; 4], at: usize) -> [F4; 3] {
        let choice = Choice4::of(digits, at);
        let row = &self.rows[at / 2];
        let mut parts = [F4::splat(&ONE), F4::splat(&ONE), F4::splat(&[0; 10])];
        for (part, value) in parts.iter_mut().enumerate() {
            for (limb, value) in value.0.iter_mut().enumerate() {
                // One load spreads a limb over all places of 32 bits, of which every other counts.
                let entry = |at: usize| _mm256_set1_epi32(row[at][part][limb] as i32);
                let entries =
                    [entry(0), entry(1), entry(2), entry(3), entry(4), entry(5), entry(6), entry(7)];
                *value = _mm256_and_si256(choice.limb(entries, *value), _mm256_set1_epi64x(0xffff_ffff));
            }
        }
        let [yp, ym, t2d] = &parts;
        let negative = choice.negative;
        [F4::select(negative, ym, yp), F4::select(negative, yp, ym), t2d.negate_where(negative)]
    }
}

impl Point4 {
    /// The first lanes of four points, one in each lane.
    #[target_feature(enable = "avx2")]
    fn gather_first(four: &[Point4]) -> Self {
        let part = |part: fn(&Point4) -> &F4| {
            let lane = |at: usize| part(&four[at]).lanes()[0];
            F4::from_lanes(&[lane(0), lane(1), lane(2), lane(3)])
        };
        Point4 { x: part(|p| &p.x), y: part(|p| &p.y), z: part(|p| &p.z), t: part(|p| &p.t) }
    }
}
