//! The kernel of cosight: group, oblivious PRF, hashing and row operations on packed arrays.
//!
//! Each module mirrors the Python file of the same name; only `python` knows Python, so `cargo test` runs
//! without it. Meaning (shapes, ranges) is validated in Python, encodings here.
//!
//! Speed comes from three places: rayon over fixed chunks of items, whose intermediate points stay in the L2
//! cache; one inversion per chunk instead of one per item; and vector arithmetic over four items at a time
//! where the machine has AVX2 (`batch` picks at run time). `unsafe` is denied but in the files that
//! `docs/unsafe.md` lists, which say why it is sound.
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod batch;
pub mod commitment;
pub mod curve25519;
pub mod dleq;
pub mod elgamal;
pub mod errors;
pub mod field;
pub mod filters;
pub mod ggm;
pub mod group;
pub mod hashing;
pub mod lpn;
pub mod machine;
pub mod memory;
pub mod okvs;
pub mod oprf;
pub mod ot;
pub mod prg;
pub mod psi;
pub mod ring;
pub mod rows;
pub mod scalars;
pub mod shamir;
#[cfg(target_arch = "x86_64")]
mod simd;
pub mod tagset;
pub mod vole;

#[cfg(feature = "python")]
mod python;

#[cfg(test)]
mod vectors;
