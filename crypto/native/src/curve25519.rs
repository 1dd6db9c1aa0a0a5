//! Diffie and Hellman's exchange for many rows at once, on Curve25519 by the first coordinate alone.
//!
//! Three backends compute the same: `ifma` eight points at a time, `avx2` four, `portable` one. All rows of a
//! call have one scalar, so all lanes take the same steps. The curve's group has a subgroup of prime order
//! and small ones of order up to 8; every scalar is a multiple of 8, so every product lies in the large one.
//!
//! Beside the tests, the only `unsafe` is in this file: entering code that is compiled for instructions.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod ifma;
mod lanes;
mod portable;
mod scalar;
#[cfg(test)]
mod tests;

use crate::errors::{Error, Result};
use crate::group::{CHUNK, WIDE_BYTES};
use crate::rows::Items;
use rayon::prelude::*;
pub use scalar::Scalar;
use std::sync::LazyLock;
use zeroize::Zeroizing;

/// Bytes of a coordinate, little endian.
pub const ROW_BYTES: usize = 32;
/// The curve is `v^2 = u^3 + A u^2 + u`.
const COEFFICIENT: u32 = 486_662;
/// `(A - 2) / 4`.
const A24: u32 = 121_665;

/// Which instructions compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backend {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Ifma(Ifma),
}

/// Proof that this machine has AVX2; there is no other way to get one.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Avx2(());

/// The same for AVX2 and AVX-512 with IFMA.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ifma(());

#[cfg(target_arch = "x86_64")]
impl Avx2 {
    fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }
}

#[cfg(target_arch = "x86_64")]
impl Ifma {
    fn detect() -> Option<Self> {
        let wide = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq");
        let all = wide && is_x86_feature_detected!("avx512ifma") && is_x86_feature_detected!("avx2");
        all.then_some(Self(()))
    }
}

macro_rules! on {
    ($self:ident, $function:ident($($argument:expr),*)) => {
        match $self {
            Self::Portable => lanes::portable::$function($($argument),*),
            // SAFETY: holds a proof of AVX2.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => unsafe { lanes::avx2::$function($($argument),*) },
            // SAFETY: holds a proof of AVX2, AVX512F, AVX512DQ and AVX512IFMA.
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(_) => unsafe { lanes::ifma::$function($($argument),*) },
        }
    };
}

impl Backend {
    /// The fastest that this machine can run, and may.
    fn detect() -> Self {
        static CHOSEN: LazyLock<Backend> = LazyLock::new(|| {
            #[cfg(target_arch = "x86_64")]
            if !crate::machine::portable() {
                let fast = Ifma::detect().map(Backend::Ifma).or_else(|| Avx2::detect().map(Backend::Avx2));
                return fast.unwrap_or(Backend::Portable);
            }
            Backend::Portable
        });
        *CHOSEN
    }

    fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(_) => "avx512ifma",
        }
    }

    /// Replace each row, as all functions of `lanes`.
    fn multiply(self, rows: &mut [[u8; ROW_BYTES]], scalar: &[u8; ROW_BYTES]) {
        on!(self, multiply(rows, scalar));
    }

    fn map(self, rows: &mut [[u8; ROW_BYTES]]) {
        on!(self, map(rows));
    }

    fn off_curve(self, rows: &[[u8; ROW_BYTES]]) -> Option<usize> {
        on!(self, off_curve(rows))
    }
}

/// The instructions in use, or `"portable"`.
pub fn backend() -> &'static str {
    Backend::detect().name()
}

/// Hash every item to a point of the curve: 64 bytes of keyed BLAKE3, taken modulo p, through Elligator 2.
pub fn encode(key: &[u8; ROW_BYTES], items: &Items<'_>) -> Vec<u8> {
    each(items.len(), |at| {
        let mut wide = Zeroizing::new([0; WIDE_BYTES]);
        blake3::Hasher::new_keyed(key).update(items.get(at)).finalize_xof().fill(&mut *wide);
        reduce(&wide)
    })
}

/// The point that 64 bytes map to: a number, little endian, modulo p.
pub fn map_to_curve(wide: &[u8]) -> Vec<u8> {
    let (wide, _) = wide.as_chunks::<WIDE_BYTES>();
    each(wide.len(), |at| reduce(&wide[at]))
}

fn each<F>(n: usize, element: F) -> Vec<u8>
where
    F: Fn(usize) -> [u8; ROW_BYTES] + Sync,
{
    let mut out = vec![0; n * ROW_BYTES];
    out.as_chunks_mut().0.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, rows)| {
        for (row, at) in rows.iter_mut().zip(chunk * CHUNK..) {
            *row = element(at);
        }
        Backend::detect().map(rows);
    });
    out
}

/// All points times one scalar: what X25519 of RFC 7748 gives, of any 32 bytes, for the scalars it knows.
///
/// Who would get zero has sent a point of small order, for which any scalar does the same.
pub fn multiply(rows: &[u8], scalar: &Scalar) -> Result<Vec<u8>> {
    let mut out = rows.to_vec();
    out.as_chunks_mut().0.par_chunks_mut(CHUNK).enumerate().try_for_each(|(chunk, rows)| {
        Backend::detect().multiply(rows, scalar.bytes());
        let small = rows.iter().position(|row| *row == [0; ROW_BYTES]);
        small.map_or(Ok(()), |at| Err(at_fault(chunk * CHUNK + at, "is a point of small order")))
    })?;
    Ok(out)
}

/// Accept exactly the canonical encodings of points on the curve, not its twist, other than 0.
pub fn validate(rows: &[u8]) -> Result<()> {
    rows.as_chunks().0.par_chunks(CHUNK).enumerate().try_for_each(|(chunk, rows)| {
        let first = chunk * CHUNK;
        if let Some(at) = rows.iter().position(|row| !canonical(row)) {
            return Err(at_fault(first + at, "is no canonical coordinate"));
        }
        let off = Backend::detect().off_curve(rows);
        off.map_or(Ok(()), |at| Err(at_fault(first + at, "is no point on the curve")))
    })
}

fn at_fault(row: usize, what: &str) -> Error {
    Error::Decode(format!("row {row} {what}"))
}

/// Whether a number is below 2^255 - 19; the peer's, so no secret.
fn canonical(row: &[u8; ROW_BYTES]) -> bool {
    let full = row[1..31].iter().all(|byte| *byte == 0xff);
    row[31] < 0x7f || row[31] == 0x7f && !(full && row[0] >= 0xed)
}

/// A number of 64 bytes as one below 2^255, modulo p.
fn reduce(wide: &[u8; WIDE_BYTES]) -> [u8; ROW_BYTES] {
    let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| wide[8 * at + byte]));
    let mut words: [u64; 4] = std::array::from_fn(word);
    let mut over = 0;
    for (at, low) in words.iter_mut().enumerate() {
        let sum = u128::from(*low) + 38 * u128::from(word(at + 4)) + over; // 2^256 = 38
        (*low, over) = (sum as u64, sum >> 64);
    }
    // What stands above 2^255 comes back 19 times: below 2^255 + 1501 after one round, below 2^255 after two.
    let mut top = (over as u64) << 1 | words[3] >> 63;
    for _ in 0..2 {
        words[3] &= u64::MAX >> 1;
        let mut carry = 19 * top;
        for word in &mut words {
            let (sum, passed) = word.overflowing_add(carry);
            (*word, carry) = (sum, u64::from(passed));
        }
        top = words[3] >> 63;
    }
    let mut row = [0; ROW_BYTES];
    row.chunks_exact_mut(8).zip(words).for_each(|(row, word)| row.copy_from_slice(&word.to_le_bytes()));
    row
}
