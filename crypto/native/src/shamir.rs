//! Shamir's sharing of 32 bytes, each by itself, over GF(2^8) with the polynomial of AES, 0x11b.
//!
//! Places (`xs`) are public. Products look nothing up and branch on no value, so shares and secrets do not
//! show in the time they take.
//!
//! Source: Shamir, "How to Share a Secret", CACM 22, 1979; the field is that of FIPS 197, 4.2.
#![forbid(unsafe_code)]

use crate::errors::{Error, Result};
use zeroize::Zeroizing;

/// Bytes of a secret, and of a share of it.
pub const SECRET_BYTES: usize = 32;
const DEGREE: u32 = 8;
/// `x^8` modulo the polynomial.
const REDUCED: u8 = 0x1b;

/// One element of the field for each byte of a secret.
type Elements = [u8; SECRET_BYTES];

/// Shares at the places of the polynomials that are `secret` at zero.
///
/// Coefficients, the highest first, are 32 bytes for each degree from `threshold - 1` down to 1: given, or of
/// the operating system. `xs.len() * 32` bytes.
pub fn split(secret: &Elements, threshold: usize, xs: &[u8], coefficients: Option<&[u8]>) -> Result<Vec<u8>> {
    places(xs)?;
    if !(2..=xs.len()).contains(&threshold) {
        return Err(parameter("a threshold is at least 2, and at most the number of shares"));
    }
    let mut drawn = Zeroizing::new(vec![0; (threshold - 1) * SECRET_BYTES]);
    match coefficients {
        Some(given) if given.len() == drawn.len() => drawn.copy_from_slice(given),
        Some(_) => return Err(parameter("a polynomial takes 32 random bytes for each degree")),
        None => getrandom::fill(&mut drawn).map_err(|error| {
            Error::Randomness(format!("the operating system gives no randomness: {error}"))
        })?,
    }
    let (coefficients, _) = drawn.as_chunks::<SECRET_BYTES>();
    let mut shares = Vec::with_capacity(xs.len() * SECRET_BYTES);
    for x in xs {
        let mut value = Zeroizing::new([0; SECRET_BYTES]);
        for coefficient in coefficients {
            add(&mut value, coefficient);
            scale(&mut value, *x);
        }
        add(&mut value, secret);
        shares.extend_from_slice(&*value);
    }
    Ok(shares)
}

/// The value at zero of the polynomials through the shares, of as small a degree as they allow.
pub fn reconstruct(xs: &[u8], shares: &[u8]) -> Result<Zeroizing<Elements>> {
    places(xs)?;
    if xs.len() < 2 || shares.len() != xs.len() * SECRET_BYTES {
        return Err(parameter("a secret takes two shares or more, and a place for each"));
    }
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    for (x, share) in xs.iter().zip(shares.as_chunks().0) {
        let mut part = Zeroizing::new(*share);
        scale(&mut part, weight(*x, xs));
        add(&mut secret, &part);
    }
    Ok(secret)
}

/// Lagrange's coefficient at zero of the place `x` among all.
fn weight(x: u8, xs: &[u8]) -> u8 {
    let others = xs.iter().filter(|other| **other != x);
    let (above, below) = others.fold((1, 1), |(above, below), other| {
        (multiply(above, *other), multiply(below, *other ^ x)) // minus is plus
    });
    multiply(above, inverse(below))
}

/// Refuse places where the secret itself is, or that come twice.
fn places(xs: &[u8]) -> Result<()> {
    let mut seen = [false; 1 << DEGREE];
    seen[0] = true;
    for x in xs {
        if std::mem::replace(&mut seen[usize::from(*x)], true) {
            return Err(parameter("shares have distinct places, from 1 to 255"));
        }
    }
    Ok(())
}

fn add(values: &mut Elements, others: &Elements) {
    values.iter_mut().zip(others).for_each(|(value, other)| *value ^= other);
}

/// Multiply every value by one factor.
fn scale(values: &mut Elements, factor: u8) {
    let mut sums = Zeroizing::new([0; SECRET_BYTES]);
    for bit in 0..DEGREE {
        let chosen = (factor >> bit & 1).wrapping_neg();
        for (sum, value) in sums.iter_mut().zip(&mut *values) {
            *sum ^= *value & chosen;
            *value = *value << 1 ^ (REDUCED & (*value >> 7).wrapping_neg());
        }
    }
    values.copy_from_slice(&*sums);
}

fn multiply(mut a: u8, b: u8) -> u8 {
    let mut product = 0;
    for bit in 0..DEGREE {
        product ^= a & (b >> bit & 1).wrapping_neg();
        a = a << 1 ^ (REDUCED & (a >> 7).wrapping_neg());
    }
    product
}

/// `a^254`, which is `a^-1`, and 0 for 0.
fn inverse(a: u8) -> u8 {
    let mut power = a;
    for _ in 0..DEGREE - 2 {
        power = multiply(multiply(power, power), a);
    }
    multiply(power, power)
}

fn parameter(text: &str) -> Error {
    Error::Parameter(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_fips_197() {
        // 4.2 and 4.2.1
        for (a, b, product) in [(0x57, 0x83, 0xc1), (0x57, 0x13, 0xfe), (0x57, 0x02, 0xae)] {
            assert_eq!([multiply(a, b), multiply(b, a)], [product; 2]);
        }
        assert!((1..=255).all(|a| multiply(a, inverse(a)) == 1));
    }

    #[test]
    fn a_row_is_scaled_byte_by_byte() {
        for factor in 0..=255 {
            let row: Elements = std::array::from_fn(|at| (at * 37 + 5) as u8);
            let mut scaled = row;
            scale(&mut scaled, factor);
            assert_eq!(scaled, row.map(|value| multiply(value, factor)));
        }
    }

    #[test]
    fn any_three_of_five_give_the_secret_and_two_do_not() {
        let secret = std::array::from_fn(|at| at as u8);
        let xs = [1, 2, 77, 254, 255];
        let shares = split(&secret, 3, &xs, None).unwrap();
        let some = |places: &[usize]| {
            let share = |place: usize| &shares[place * SECRET_BYTES..][..SECRET_BYTES];
            let chosen: Vec<u8> = places.iter().map(|place| xs[*place]).collect();
            let rows: Vec<u8> = places.iter().flat_map(|place| share(*place).to_vec()).collect();
            *reconstruct(&chosen, &rows).unwrap()
        };
        for a in 0..5 {
            for b in 0..a {
                assert_ne!(some(&[a, b]), secret);
                assert!((0..b).all(|c| some(&[a, c, b]) == secret));
            }
        }
        assert_eq!(some(&[4, 3, 2, 1, 0]), secret);
    }

    #[test]
    fn what_shares_nothing_is_refused() {
        let secret = [1; SECRET_BYTES];
        for (threshold, xs) in
            [(0, &[1, 2][..]), (1, &[1, 2]), (3, &[1, 2]), (2, &[1, 1]), (2, &[0, 1]), (2, &[])]
        {
            assert!(split(&secret, threshold, xs, None).is_err());
        }
        assert!(split(&secret, 2, &[1, 2], Some(&[0; 31])).is_err());
        for (xs, bytes) in
            [(&[1][..], 32), (&[1, 1], 64), (&[0, 1], 64), (&[1, 2], 63), (&[1, 2], 96), (&[], 0)]
        {
            assert!(reconstruct(xs, &vec![0; bytes]).is_err());
        }
    }
}
