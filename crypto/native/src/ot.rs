//! Oblivious transfer: 128 base transfers by public keys, and their extension to as many as are needed.
//!
//! `base` gives one party 128 pairs of keys and the other one key of each pair, chosen by the bits of its
//! secret `Delta`; `extension` makes of them, with symmetric cryptography alone, correlated and random
//! transfers whose choices are the other party's, and products with `Delta`.
#![forbid(unsafe_code)]

pub mod base;
pub mod extension;
mod lattice;
#[cfg(test)]
mod tests;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// Base transfers, and bits of `Delta`.
pub const COUNT: usize = 128;

/// What the sender of the base transfers holds: both keys of each.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Pairs(pub(crate) [[u128; 2]; COUNT]);

/// What the receiver of the base transfers holds: its choices, and the chosen key of each.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Chosen {
    pub(crate) delta: u128,
    pub(crate) keys: [u128; COUNT],
}

impl Pairs {
    /// Both keys of each transfer.
    pub fn keys(&self) -> &[[u128; 2]; COUNT] {
        &self.0
    }
}

impl Chosen {
    /// The choices: bit `i` is that of transfer `i`.
    pub fn delta(&self) -> u128 {
        self.delta
    }

    /// The chosen key of each transfer.
    pub fn keys(&self) -> &[u128; COUNT] {
        &self.keys
    }
}

/// Bit `at` of a number, as all ones or all zeros.
fn spread(number: u128, at: usize) -> u128 {
    0u128.wrapping_sub(number >> at & 1)
}

/// The first 16 bytes of a hash.
fn block(hash: &[u8; 32]) -> u128 {
    u128::from_le_bytes(std::array::from_fn(|at| hash[at]))
}
