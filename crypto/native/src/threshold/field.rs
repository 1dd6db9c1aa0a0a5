//! Numbers modulo 2^61 - 1.
#![forbid(unsafe_code)]

use crate::errors::{Error, Result};

const BITS: u32 = 61;
/// A prime of Mersenne.
pub const PRIME: u64 = (1 << BITS) - 1;

/// Any number, modulo the prime.
#[inline]
pub fn reduce(number: u128) -> u64 {
    let low = number as u64 & PRIME;
    let middle = (number >> BITS) as u64 & PRIME;
    let high = (number >> (2 * BITS)) as u64;
    once(once(low.wrapping_add(middle)).wrapping_add(high))
}

/// A number below twice the prime, modulo the prime.
#[inline]
fn once(number: u64) -> u64 {
    let less = number.wrapping_sub(PRIME);
    if number >= PRIME {
        less
    } else {
        number
    }
}

#[inline]
pub fn add(a: u64, b: u64) -> u64 {
    once(a.wrapping_add(b))
}

#[inline]
pub fn subtract(a: u64, b: u64) -> u64 {
    once(a.wrapping_add(PRIME).wrapping_sub(b))
}

#[inline]
pub fn multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    once((product as u64 & PRIME).wrapping_add((product >> BITS) as u64))
}

/// `a^(p - 2)`: 0 for 0.
pub fn inverse(a: u64) -> u64 {
    let mut power = 1;
    for bit in (0..BITS).rev() {
        power = multiply(power, power);
        if (PRIME - 2) >> bit & 1 == 1 {
            power = multiply(power, a);
        }
    }
    power
}

/// The value of a polynomial without constant term, the highest coefficient first.
pub fn value(coefficients: &[u64], point: u64) -> u64 {
    coefficients.iter().fold(0, |value, coefficient| multiply(add(value, *coefficient), point))
}

/// Refuse points where values say nothing, or the same.
pub fn points(points: &[u64]) -> Result<()> {
    let mut sorted = points.to_vec();
    sorted.sort_unstable();
    let fits = points.iter().all(|point| (1..PRIME).contains(point));
    if !fits || sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Error::Parameter("points are distinct, from 1 to 2^61 - 2".to_owned()));
    }
    Ok(())
}
