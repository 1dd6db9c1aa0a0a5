//! The kernel of cosight: group, oblivious PRF, hashing and row operations on packed arrays.
//!
//! Each module mirrors the Python file of the same name; only `python` knows Python, so `cargo test` runs
//! without it. Meaning (shapes, ranges) is validated in Python, encodings here.
//!
//! Speed comes from three places: rayon over fixed chunks of items, whose intermediate points stay in the L2
//! cache; one field or scalar inversion per chunk instead of one per item; and the vector backend that
//! curve25519-dalek picks at run time (AVX-512 IFMA, AVX2, or the portable one).
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod dleq;
pub mod errors;
pub mod group;
pub mod hashing;
pub mod oprf;
pub mod rows;

#[cfg(feature = "python")]
mod python;

#[cfg(test)]
mod vectors;
