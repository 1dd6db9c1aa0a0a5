//! Dual LPN: a sparse vector of 2m field elements compressed to m that look uniform.
//!
//! The code is block-accumulate of depth three (Blake, Raghuraman, Rindal and others, "Block-Diagonal Codes:
//! Accelerated Linear Codes for Pseudorandom Correlation Generators"): running sum, permute, running sum,
//! permute, then add to each block of 32 of the first half a random binary combination of the block of the
//! second half beside it. Three things are our own:
//!
//! - The permutations are uniform and public (`shuffle`).
//! - **Before the second running sum each element is multiplied by a public random multiplier.** Over a
//!   binary code, noise values of 128 bits are 128 codewords whose errors share their places, and such
//!   interleaved words decode in polynomial time once the values of the errors left over span less than all
//!   128 bits (Metzner and Kapturowski, IEEE Trans. Inf. Theory 36, 1990): choose an information set, which
//!   holds about half of t = 250 errors, fewer than 128; all clean symbols then lie in a proper subspace of
//!   GF(2)^128, and the rank of a few hundred of them tells. A code over GF(2^128) has no such subspace.
//!   docs/protocols/silent-vole.md has the argument, and a test shows the attack on the binary code.
//! - The code is a function of m alone; nothing that a party chooses enters.
#![deny(unsafe_code)] // but in `multiply` and `shuffle`, which say why they are sound

mod multiply;
mod shuffle;

use crate::hashing::derive_key;
use crate::memory::Big;
use crate::prg::Aes;
pub use multiply::backend;
use rayon::prelude::*;
use shuffle::{Shuffle, Stream, CHUNK};
use std::ops::Range;

const LABEL: &str = "cosight 2026 block accumulate code v1";
/// Elements of a block of the last step.
const BLOCK: usize = 32;
const TABLES: usize = BLOCK / 4;
const WORDS: usize = 4;

/// The code from 2m to m elements.
pub struct Code {
    m: usize,
    rounds: [Shuffle; 2],
    multipliers: Aes,
    diagonal: Aes,
}

impl Code {
    /// The code with `m` outputs, `1 <= m < 2^31`, made ready for so many threads: the outputs are the same
    /// for any number.
    pub fn new(m: usize, threads: usize) -> Self {
        let key = |part: &[u8]| {
            let digest = derive_key(LABEL, &[&(m as u64).to_le_bytes(), part]);
            digest[..16].iter().rev().fold(0, |key, byte| key << 8 | u128::from(*byte))
        };
        Self {
            m,
            rounds: [b"first", b"other"].map(|part| Shuffle::new(key(part), 2 * m, threads)),
            multipliers: Aes::new(key(b"multipliers")),
            diagonal: Aes::new(key(b"diagonal")),
        }
    }

    /// Compress `2m` elements to `m`, of which the first `count` begin `spare`, which is as long as the noise.
    /// Both are overwritten.
    pub fn compress(&self, noise: &mut [u128], spare: &mut [u128], count: usize) {
        self.rounds[0].apply(&Sum(noise), spare);
        self.rounds[1].apply(
            &Scaled {
                code: self,
                source: |at, out: &mut [u128]| out.copy_from_slice(&spare[at..at + out.len()]),
            },
            noise,
        );
        self.diagonal(noise, &mut spare[..count]);
    }

    /// Compress a vector that is zero but at `places`, ascending, at most 255 of them; `spare` takes `2m`.
    ///
    /// Its first running sum has few values, so the first permutation moves one byte an element.
    pub fn compress_sparse(&self, places: &[usize], values: &[u128], spare: &mut [u128], out: &mut [u128]) {
        assert!(places.len() == values.len() && places.len() < 256);
        let mut steps = Big::scratch(2 * self.m);
        self.rounds[0].apply(&Steps(places), &mut steps);
        let mut sums = [0; 256];
        for (at, value) in values.iter().enumerate() {
            sums[at + 1] = sums[at] ^ value;
        }
        let source = |at: usize, out: &mut [u128]| {
            for (out, step) in out.iter_mut().zip(&steps[at..]) {
                *out = sums[usize::from(*step)];
            }
        };
        self.rounds[1].apply(&Scaled { code: self, source }, spare);
        self.diagonal(spare, out);
    }

    /// Multiply elements from `at` on, a multiple of `CHUNK`, by their multipliers.
    fn multiply(&self, at: usize, elements: &mut [u128]) {
        let mut by = [0; CHUNK / 2];
        self.multipliers.ctr((at / 2) as u128, &mut by);
        let by = bytemuck::cast_slice::<u128, u64>(&by);
        multiply::multiply(elements, by);
    }

    /// The first half with binary combinations of the second added, by tables of the 16 combinations of each
    /// four elements (Arlazarov and others, 1970: "the four Russians").
    fn diagonal(&self, elements: &[u128], out: &mut [u128]) {
        assert!(out.len() <= self.m, "a code has m outputs");
        let (first, second) = elements.split_at(self.m);
        let halves = first.par_chunks(BLOCK).zip(second.par_chunks(BLOCK));
        let blocks = out.par_chunks_mut(BLOCK).zip(halves).enumerate();
        blocks.with_min_len(256).for_each(|(index, (out, (first, block)))| {
            let mut rows = [0; BLOCK / WORDS];
            self.diagonal.ctr((index * rows.len()) as u128, &mut rows);
            let mut tables = [[0; 16]; TABLES];
            for (table, four) in tables.iter_mut().zip(block.chunks(4)) {
                for (bit, element) in four.iter().enumerate() {
                    for low in 0..1 << bit {
                        table[low | 1 << bit] = table[low] ^ element;
                    }
                }
            }
            let rows = bytemuck::cast_slice::<u128, u32>(&rows);
            for ((out, first), row) in out.iter_mut().zip(first).zip(rows) {
                let sums =
                    tables.iter().enumerate().map(|(at, table)| table[(row >> (4 * at) & 15) as usize]);
                *out = sums.fold(*first, |sum, combination| sum ^ combination);
            }
        });
    }
}

/// Running sums of a vector.
struct Sum<'a>(&'a [u128]);

impl Stream for Sum<'_> {
    type Item = u128;

    fn growth(&self, range: Range<usize>) -> u128 {
        self.0[range].iter().fold(0, |sum, element| sum ^ element)
    }

    fn fill(&self, at: usize, sum: &mut u128, out: &mut [u128]) {
        for (out, element) in out.iter_mut().zip(&self.0[at..]) {
            *sum ^= element;
            *out = *sum;
        }
    }
}

/// Running sums of a sparse vector, as how many of its places lie before or at each.
struct Steps<'a>(&'a [usize]);

impl Stream for Steps<'_> {
    type Item = u8;

    fn growth(&self, _: Range<usize>) -> u128 {
        0
    }

    fn fill(&self, at: usize, _: &mut u128, out: &mut [u8]) {
        let mut step = self.0.partition_point(|place| *place < at);
        for (place, out) in (at..).zip(out) {
            step += usize::from(self.0.get(step) == Some(&place));
            *out = step as u8;
        }
    }
}

/// Running sums of what a source gives, each multiplied first.
struct Scaled<'a, F> {
    code: &'a Code,
    source: F,
}

impl<F: Fn(usize, &mut [u128]) + Sync> Stream for Scaled<'_, F> {
    type Item = u128;

    fn growth(&self, range: Range<usize>) -> u128 {
        let mut sum = 0;
        let mut buffer = [0; CHUNK];
        for at in range.clone().step_by(CHUNK) {
            let buffer = &mut buffer[..CHUNK.min(range.end - at)];
            self.fill(at, &mut sum, buffer);
        }
        sum
    }

    fn fill(&self, at: usize, sum: &mut u128, out: &mut [u128]) {
        (self.source)(at, out);
        self.code.multiply(at, out);
        for out in out {
            *sum ^= *out;
            *out = *sum;
        }
    }
}

#[cfg(test)]
mod tests;
