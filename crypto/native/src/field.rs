//! GF(2^128): polynomials over GF(2) modulo x^128 + x^7 + x^2 + x + 1.
//!
//! An element is a `u128` whose bit `i` is the coefficient of x^i (GHASH has them the other way round).
//! Addition is `^`. Everything is constant time. Nothing here is parallel: who calls, knows the chunks.
#![forbid(unsafe_code)]

mod portable;

/// The product.
pub fn mul(a: u128, b: u128) -> u128 {
    portable::mul(a, b)
}

/// Multiply each of `xs` by `a`.
pub fn scale(a: u128, xs: &mut [u128]) {
    portable::scale(a, xs);
}

/// Add `a * xs[i]` to `acc[i]`, for each `i`.
///
/// # Panics
/// If the lengths differ.
pub fn add_scaled(acc: &mut [u128], a: u128, xs: &[u128]) {
    assert_eq!(acc.len(), xs.len(), "as many terms as sums");
    portable::add_scaled(acc, a, xs);
}

/// The sum of the products `xs[i] * ys[i]`.
///
/// # Panics
/// If the lengths differ.
pub fn inner(xs: &[u128], ys: &[u128]) -> u128 {
    assert_eq!(xs.len(), ys.len(), "as many factors as factors");
    portable::inner(xs, ys)
}

/// Write 1, x, x^2, ...: `out[i] = x^i`.
pub fn powers(x: u128, out: &mut [u128]) {
    portable::powers(x, out);
}

#[cfg(test)]
mod tests;
