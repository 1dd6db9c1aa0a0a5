//! Vectors over the integers modulo 2^w, and the masks that hide their entries.
//!
//! A mask is a generator's output: AES-256 in counter mode (NIST SP 800-38A, 6.5) whose key is a seed, read as
//! little-endian words. The vector passes memory once: each chunk takes the words of all masks while it is in
//! the L2 cache, and they never leave the L1 cache.
#![forbid(unsafe_code)]

use crate::hashing::HASH_BYTES;
use crate::prg::Aes256;
use bytemuck::Pod;
use rayon::prelude::*;
use zeroize::Zeroize;

/// Bytes of a vector that are hashed together, and masked by one thread.
pub const CHUNK_BYTES: usize = 1 << 16;
/// Bytes of a seed.
pub const SEED_BYTES: usize = 32;
const BLOCK_BYTES: usize = 16;
/// Blocks of a mask that are made at a time.
const PIECE: usize = 256;

/// An entry of a vector, of some width; in memory its least significant byte comes first.
pub trait Word: Pod + Ord + Send + Sync {
    /// Add one entry to another.
    fn add(&mut self, other: Self);
    /// Subtract one entry from another.
    fn subtract(&mut self, other: Self);
    /// As a number.
    fn number(self) -> u64;
}

macro_rules! words {
    ($($word:ty),*) => { $(
        impl Word for $word {
            #[inline]
            fn add(&mut self, other: Self) {
                *self = Self::from_le(*self).wrapping_add(Self::from_le(other)).to_le();
            }
            #[inline]
            fn subtract(&mut self, other: Self) {
                *self = Self::from_le(*self).wrapping_sub(Self::from_le(other)).to_le();
            }
            #[inline]
            fn number(self) -> u64 {
                Self::from_le(self).into()
            }
        }
    )* };
}
words!(u8, u16, u32, u64);

/// A mask, and whether it is taken off. Wiped when dropped.
pub struct Mask {
    stream: Aes256,
    negative: bool,
}

impl Mask {
    /// The mask of a seed, which is uniform and used for nothing else.
    pub fn new(seed: &[u8; SEED_BYTES], negative: bool) -> Self {
        Self { stream: Aes256::new(seed), negative }
    }

    /// Put it on words, the first of which starts at byte `at` of the mask.
    fn put<W: Word>(&self, words: &mut [W], mut at: u128, stream: &mut [u128; PIECE + 1]) {
        for piece in words.chunks_mut(PIECE * BLOCK_BYTES / size_of::<W>()) {
            let skipped = (at % BLOCK_BYTES as u128) as usize;
            let bytes = size_of_val(piece);
            let blocks = &mut stream[..(skipped + bytes).div_ceil(BLOCK_BYTES)];
            self.stream.ctr(at / BLOCK_BYTES as u128, blocks);
            let mask: &[W] = &bytemuck::cast_slice(blocks)[skipped / size_of::<W>()..];
            let pairs = piece.iter_mut().zip(mask);
            if self.negative {
                pairs.for_each(|(word, mask)| word.subtract(*mask));
            } else {
                pairs.for_each(|(word, mask)| word.add(*mask));
            }
            at += bytes as u128;
        }
    }
}

/// Put masks on a vector, the first word of which stands at place `offset` of a longer one.
pub fn add_masks<W: Word>(vector: &mut [W], masks: &[Mask], offset: u64) {
    let first = u128::from(offset) * size_of::<W>() as u128;
    vector.par_chunks_mut(CHUNK_BYTES / size_of::<W>()).enumerate().for_each(|(index, chunk)| {
        let at = first + index as u128 * CHUNK_BYTES as u128;
        let mut stream = [0; PIECE + 1];
        for mask in masks {
            mask.put(chunk, at, &mut stream);
        }
        stream.zeroize();
    });
}

/// Whether an entry is above the cap. It takes as long wherever it is, and whether there is one.
pub fn exceeds<W: Word>(vector: &[W], cap: u64) -> bool {
    vector.iter().fold(false, |found, word| found | (word.number() > cap))
}

/// BLAKE3 keyed hash of each chunk behind its number (eight bytes, little endian). `chunks * 32` bytes.
pub fn digests(key: &[u8; HASH_BYTES], vector: &[u8]) -> Vec<u8> {
    let mut out = vec![0; vector.len().div_ceil(CHUNK_BYTES) * HASH_BYTES];
    let chunks = vector.par_chunks(CHUNK_BYTES).enumerate();
    out.par_chunks_mut(HASH_BYTES).zip(chunks).for_each(|(digest, (index, chunk))| {
        let mut hasher = blake3::Hasher::new_keyed(key);
        hasher.update(&(index as u64).to_le_bytes()).update(chunk);
        digest.copy_from_slice(hasher.finalize().as_bytes());
    });
    out
}

#[cfg(test)]
mod tests;
