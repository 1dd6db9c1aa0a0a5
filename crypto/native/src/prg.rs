//! AES-128 over many blocks at once: encryption, a generator, and hashes for correlated blocks.
//!
//! A block is a `u128`; its least significant byte is the first byte of FIPS 197. Nothing here is parallel:
//! who calls, knows the chunks. Everything is constant time: no implementation looks into a table.
#![forbid(unsafe_code)]

use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use std::sync::LazyLock;
use zeroize::Zeroize;

/// Blocks that are in flight at once: in the registers of a machine with AES, in the L1 cache of any other.
const BATCH: usize = 64;
/// The public key of `tccr`: the first 128 bits of the fraction of pi, so that nobody chose it.
const FIXED_KEY: u128 = 0x243f_6a88_85a3_08d3_1319_8a2e_0370_7344;
static FIXED: LazyLock<Aes> = LazyLock::new(|| Aes::new(FIXED_KEY));

/// AES-128 (FIPS 197) under one key. Wiped when dropped.
#[derive(Clone)]
pub struct Aes(aes::Aes128);

impl Aes {
    /// Expand a key.
    pub fn new(key: u128) -> Self {
        Self(aes::Aes128::new(&Array::from(key.to_le_bytes())))
    }

    /// Encrypt each block.
    pub fn encrypt(&self, blocks: &mut [u128]) {
        let mut batch = [Array::from([0; 16]); BATCH];
        for blocks in blocks.chunks_mut(BATCH) {
            for (to, from) in batch.iter_mut().zip(&*blocks) {
                *to = Array::from(from.to_le_bytes());
            }
            self.0.encrypt_blocks(&mut batch[..blocks.len()]);
            for (to, from) in blocks.iter_mut().zip(&batch) {
                *to = u128::from_le_bytes(from.0);
            }
        }
        batch.iter_mut().for_each(|block| block.0.zeroize());
    }

    /// Write the encryptions of `first`, `first + 1`, ... (modulo 2^128).
    pub fn ctr(&self, first: u128, out: &mut [u128]) {
        for (block, index) in out.iter_mut().zip(0..) {
            *block = first.wrapping_add(index);
        }
        self.encrypt(out);
    }
}

/// A generator of pseudorandom blocks: AES in counter mode, whose key is the seed. Wiped when dropped.
pub struct Prg {
    aes: Aes,
    next: u128,
}

impl Prg {
    /// Begin with a seed, which must be uniform and used for nothing else.
    pub fn new(seed: u128) -> Self {
        Self { aes: Aes::new(seed), next: 0 }
    }

    /// Write the next blocks.
    pub fn fill(&mut self, out: &mut [u128]) {
        self.aes.ctr(self.next, out);
        self.next += out.len() as u128;
    }
}

/// Replace each block `x` by `pi(x) ^ x`, where `pi` is AES under the key: the hash of Matyas, Meyer and
/// Oseas, which is correlation robust (GKWY20, ePrint 2019/074) where `pi` is ideal.
pub fn cr(key: &Aes, blocks: &mut [u128]) {
    let mut inputs = [0; BATCH];
    for blocks in blocks.chunks_mut(BATCH) {
        let inputs = &mut inputs[..blocks.len()];
        inputs.copy_from_slice(blocks);
        key.encrypt(blocks);
        blocks.iter_mut().zip(inputs).for_each(|(block, input)| *block ^= *input);
    }
    inputs.zeroize();
}

/// Replace block `x` at `index` by `pi(pi(x) ^ i) ^ pi(x)`, where `i = tweak + index` (modulo 2^128) and `pi`
/// is AES under a public key: TMMO of GKWY20 (ePrint 2019/074), which is tweakable and circular correlation
/// robust where `pi` is ideal.
pub fn tccr(tweak: u128, blocks: &mut [u128]) {
    let mut inner = [0; BATCH];
    for (blocks, at) in blocks.chunks_mut(BATCH).zip((0..).step_by(BATCH)) {
        let inner = &mut inner[..blocks.len()];
        FIXED.encrypt(blocks);
        inner.copy_from_slice(blocks);
        for (block, index) in blocks.iter_mut().zip(at..) {
            *block ^= tweak.wrapping_add(index);
        }
        FIXED.encrypt(blocks);
        blocks.iter_mut().zip(inner).for_each(|(block, inner)| *block ^= *inner);
    }
    inner.zeroize();
}

#[cfg(test)]
mod tests;
