//! A public, uniformly random permutation of a long stream, in cache-sized steps.
//!
//! Rao (1961) and Sandelius (1962): throw each element into a bucket of its own random digit, in order, then
//! permute each bucket uniformly; the result is a uniform permutation. The buckets here fit a share of the L2
//! cache, so the throw writes to few streams and Fisher and Yates's shuffle never leaves the cache.
//! Both parties must get the same permutation: it depends on the key and the length alone, never on the
//! machine or the number of threads.
#![allow(unsafe_code)]

use crate::memory::fetch;
use crate::prg::Aes;
use rayon::prelude::*;
use std::ops::Range;

// Random blocks are read as smaller numbers where they lie.
const _: () = assert!(cfg!(target_endian = "little"));

/// Elements that are made, and thrown, together.
pub const CHUNK: usize = 1024;
const DIGITS: usize = 8; // 16-bit digits of a block
const WORDS: usize = 4; // 32-bit words of a block
/// A bucket holds about so many elements.
const BUCKET: usize = 1 << 13;
/// Below this many elements a second thread does not pay.
const ALONE: usize = 1 << 16;

/// What is permuted: a stream that is made in order, from a running sum.
pub trait Stream: Sync {
    /// What an element is stored as.
    type Item: Copy + Default + Send + Sync;
    /// By how much the running sum grows over a range.
    fn growth(&self, range: Range<usize>) -> u128;
    /// Elements from `at` on, a multiple of `CHUNK`; `sum` is the running sum before them, then after them.
    fn fill(&self, at: usize, sum: &mut u128, out: &mut [Self::Item]);
}

/// A permutation, with where each part of its stream goes.
pub struct Shuffle {
    key: Aes,
    len: usize,
    bits: u32,
    parts: Vec<Part>,
    /// Where each bucket ends.
    ends: Vec<u32>,
}

/// A range of the stream that one thread throws.
struct Part {
    range: Range<usize>,
    /// The next free place in each bucket for this part.
    next: Vec<u32>,
}

impl Shuffle {
    /// The permutation of `len` elements, fewer than 2^32, under a public key; thrown in `parts` parts.
    pub fn new(key: u128, len: usize, parts: usize) -> Self {
        assert!(u32::try_from(len).is_ok(), "places are numbers of 32 bits");
        let key = Aes::new(key);
        let bits = len.div_ceil(BUCKET).next_power_of_two().trailing_zeros().min(16);
        let parts = if len < ALONE { 1 } else { parts.max(1) };
        let step = len.div_ceil(parts).next_multiple_of(CHUNK);
        let ranges = (0..parts).map(|part| (part * step).min(len)..((part + 1) * step).min(len));
        let mut parts: Vec<Part> = ranges.map(|range| Part { range, next: vec![0; 1 << bits] }).collect();
        parts.par_iter_mut().for_each(|part| {
            for_each_digits(&key, part.range.clone(), |_, digits| {
                for digit in digits {
                    part.next[bucket(*digit, bits)] += 1;
                }
            });
        });
        let (mut ends, mut place) = (vec![0; 1 << bits], 0);
        for (bucket, end) in ends.iter_mut().enumerate() {
            for part in &mut parts {
                let count = std::mem::replace(&mut part.next[bucket], place);
                place += count;
            }
            *end = place;
        }
        Self { key, len, bits, parts, ends }
    }

    /// Write the permuted stream to `out`.
    pub fn apply<S: Stream>(&self, stream: &S, out: &mut [S::Item]) {
        assert_eq!(out.len(), self.len);
        self.throw(stream, out);
        let mut buckets = Vec::with_capacity(self.ends.len());
        let (mut rest, mut start) = (out, 0);
        for end in &self.ends {
            let (bucket, after) = rest.split_at_mut((end - start) as usize);
            buckets.push(bucket);
            (rest, start) = (after, *end);
        }
        let parallel = self.parts.len() > 1;
        let least = if parallel { 1 } else { buckets.len() };
        buckets
            .into_par_iter()
            .with_min_len(least)
            .enumerate()
            .for_each(|(index, bucket)| self.fisher_yates(index, bucket));
    }

    fn throw<S: Stream>(&self, stream: &S, out: &mut [S::Item]) {
        let mut sums = vec![0; self.parts.len()];
        let before_last = &self.parts[..self.parts.len() - 1];
        let growths: Vec<u128> =
            before_last.par_iter().map(|part| stream.growth(part.range.clone())).collect();
        for (at, growth) in growths.into_iter().enumerate() {
            sums[at + 1] = sums[at] ^ growth;
        }
        let places = Places(out.as_mut_ptr());
        self.parts.par_iter().zip(sums).for_each(|(part, mut sum)| {
            let places = &places;
            let mut next = part.next.clone();
            let mut made = [S::Item::default(); CHUNK];
            for_each_digits(&self.key, part.range.clone(), |at, digits| {
                let made = &mut made[..digits.len()];
                stream.fill(at, &mut sum, made);
                for (digit, element) in digits.iter().zip(made) {
                    let place = &mut next[bucket(*digit, self.bits)];
                    // SAFETY: `new` counted these very digits, and gave each part in each bucket as many
                    // places as it throws elements, disjoint from all others and all below `self.len`,
                    // which is the length of `out`. Nobody reads `out` meanwhile.
                    unsafe { places.0.add(*place as usize).write(*element) };
                    *place += 1;
                }
            });
        });
    }

    /// A uniform permutation of one bucket, up to a bias of 2^-19 in each draw.
    fn fisher_yates<T: Copy>(&self, index: usize, bucket: &mut [T]) {
        let mut words = [0; CHUNK / WORDS];
        let first = (1 << 64) + ((index as u128) << 32);
        fetch(bucket);
        let mut left = bucket.len();
        for at in (0..bucket.len().saturating_sub(1)).step_by(CHUNK) {
            self.key.ctr(first + (at / WORDS) as u128, &mut words);
            for word in bytemuck::cast_slice::<u128, u32>(&words) {
                if left < 2 {
                    return;
                }
                let other = ((u64::from(*word) * left as u64) >> 32) as usize;
                left -= 1;
                bucket.swap(other, left);
            }
        }
    }
}

/// Where parts write to.
struct Places<T>(*mut T);

// SAFETY: only written through, by threads that own disjoint places (see `throw`).
unsafe impl<T: Send> Sync for Places<T> {}

fn bucket(digit: u16, bits: u32) -> usize {
    (u32::from(digit) >> (16 - bits)) as usize
}

/// The digits of a range that starts at a multiple of `CHUNK`, chunk by chunk.
fn for_each_digits(key: &Aes, range: Range<usize>, mut each: impl FnMut(usize, &[u16])) {
    let mut blocks = [0; CHUNK / DIGITS];
    for at in range.clone().step_by(CHUNK) {
        key.ctr((at / DIGITS) as u128, &mut blocks);
        each(at, &bytemuck::cast_slice(&blocks)[..CHUNK.min(range.end - at)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting;

    impl Stream for Counting {
        type Item = u32;
        fn growth(&self, range: Range<usize>) -> u128 {
            range.len() as u128
        }
        fn fill(&self, at: usize, _: &mut u128, out: &mut [u32]) {
            (at as u32..).zip(out).for_each(|(value, out)| *out = value);
        }
    }

    fn shuffled(key: u128, len: usize, parts: usize) -> Vec<u32> {
        let mut out = vec![0; len];
        Shuffle::new(key, len, parts).apply(&Counting, &mut out);
        out
    }

    #[test]
    fn it_permutes_and_threads_do_not_matter() {
        for len in [0, 1, 2, 3, 1023, 1024, 1025, 8193, 100_000, 65_536] {
            let one = shuffled(5, len, 1);
            assert!((2..5).all(|parts| shuffled(5, len, parts) == one));
            let mut sorted = one;
            sorted.sort_unstable();
            assert!(sorted.into_iter().eq(0..len as u32));
        }
    }

    /// Pearson's statistic of where an element of 20000 goes, in 40 cells, over 800 keys: mean 39, standard
    /// deviation 8.8; 90 has a chance below 1e-5.
    #[test]
    fn every_place_is_as_likely() {
        for element in [0, 7777, 19_999] {
            let mut cells = [0_f64; 40];
            for key in 0..800 {
                let out = shuffled(key, 20_000, 1);
                cells[out.iter().position(|v| *v == element).unwrap() / 500] += 1.0;
            }
            let statistic: f64 = cells.iter().map(|seen| (seen - 20.0).powi(2) / 20.0).sum();
            assert!(statistic < 90.0, "{statistic}");
        }
    }
}
