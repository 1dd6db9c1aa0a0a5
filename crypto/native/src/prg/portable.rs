//! On any machine: the `aes` crate, bitsliced where there are no instructions for AES.
#![forbid(unsafe_code)]

use super::Mode;
use aes::cipher::consts::U16;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes256};
use zeroize::Zeroize;

/// Stays in the L1 cache.
const BATCH: usize = 64;

/// An expanded key. Wiped when dropped.
#[derive(Clone)]
pub struct Keys<C>(C);

impl Keys<Aes128> {
    /// Expand a key of 128 bits.
    pub fn expand(key: u128) -> Self {
        Self(Aes128::new(&Array::from(key.to_le_bytes())))
    }
}

impl Keys<Aes256> {
    /// Expand a key of 256 bits.
    pub fn expand_long(key: &[u8; 32]) -> Self {
        Self(Aes256::new(key.into()))
    }
}

impl<C: BlockCipherEncrypt<BlockSize = U16>> Keys<C> {
    /// Work on blocks in place.
    pub fn run(&self, mode: Mode, blocks: &mut [u128]) {
        let mut kept = [0; BATCH];
        for (blocks, at) in blocks.chunks_mut(BATCH).zip((0..).step_by(BATCH)) {
            let kept = &mut kept[..blocks.len()];
            match mode.at(at) {
                Mode::Encrypt => self.encrypt(blocks),
                Mode::Ctr(first) => {
                    blocks.fill(0);
                    add_numbers(first, blocks);
                    self.encrypt(blocks);
                }
                Mode::BigEndian(first) => {
                    blocks.fill(0);
                    add_numbers(first, blocks);
                    blocks.iter_mut().for_each(|block| *block = block.swap_bytes());
                    self.encrypt(blocks);
                }
                Mode::Cr => {
                    kept.copy_from_slice(blocks);
                    self.encrypt(blocks);
                    add(blocks, kept);
                }
                Mode::Tccr(tweak) => {
                    self.encrypt(blocks);
                    kept.copy_from_slice(blocks);
                    add_numbers(tweak, blocks);
                    self.encrypt(blocks);
                    add(blocks, kept);
                }
            }
        }
        kept.zeroize();
    }

    fn encrypt(&self, blocks: &mut [u128]) {
        let mut batch = [Array::from([0; 16]); BATCH];
        let batch = &mut batch[..blocks.len()];
        for (to, from) in batch.iter_mut().zip(&*blocks) {
            *to = Array::from(from.to_le_bytes());
        }
        self.0.encrypt_blocks(batch);
        for (to, from) in blocks.iter_mut().zip(batch) {
            *to = u128::from_le_bytes(from.0);
            from.0.zeroize();
        }
    }
}

/// See `super::davies_meyer`.
pub fn davies_meyer(keys: &[u128], blocks: &mut [u128]) {
    for (key, block) in keys.iter().zip(blocks) {
        Keys::expand(*key).run(Mode::Cr, std::slice::from_mut(block));
    }
}

fn add(blocks: &mut [u128], others: &[u128]) {
    blocks.iter_mut().zip(others).for_each(|(block, other)| *block ^= other);
}

/// Add `first`, `first + 1`, ...
fn add_numbers(first: u128, blocks: &mut [u128]) {
    blocks.iter_mut().zip(0..).for_each(|(block, index)| *block ^= first.wrapping_add(index));
}
