//! Sets of uniformly distributed 128-bit tags: sorted, packed by Elias-Fano, looked up.
//!
//! Tags are numbers, their least significant byte first. A sorted set of `n` uniform tags carries about `n log2 n` bits less
//! than the tags one by one; Elias-Fano coding saves nearly that much and has one length for a given `n`, so that
//! the length says nothing about the set: the upper `h = floor(log2 n)` bits of each tag stand in unary, `n + 2^h`
//! bits in all, and the lower `128 - h` bits as they are.
//!
//! Source: P. Elias, "Efficient storage and retrieval by content and address of static files", JACM 21 (1974);
//! S. Vigna, "Quasi-succinct indices", WSDM 2013.
#![forbid(unsafe_code)]

use crate::errors::{Error, Result};
use crate::memory::Big;
use crate::rows::{group_bits, scatter, sort_uniform};
use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Bytes of a tag.
pub const TAG_BYTES: usize = 16;
const WORD_BYTES: usize = 8;

/// Where the parts of a packed set of `n` tags are.
#[derive(Clone, Copy)]
struct Layout {
    n: usize,
    high: u32,
}

impl Layout {
    fn of(n: usize) -> Self {
        Self { n, high: group_bits(n) }
    }

    fn low(self) -> u32 {
        128 - self.high
    }

    fn upper_words(self) -> usize {
        (self.n + (1 << self.high)).div_ceil(64)
    }

    fn lower_words(self) -> usize {
        (self.n * self.low() as usize).div_ceil(64)
    }

    fn top(self, tag: u128) -> usize {
        if self.high == 0 {
            0
        } else {
            (tag >> self.low()) as usize
        }
    }

    fn mask(self) -> u128 {
        if self.high == 0 {
            u128::MAX
        } else {
            (1 << self.low()) - 1
        }
    }
}

/// Bytes of a packed set of `n` tags.
pub fn packed_bytes(n: usize) -> usize {
    let layout = Layout::of(n);
    WORD_BYTES * (layout.upper_words() + layout.lower_words())
}

/// Sorts tags that are close to uniform.
///
/// A sender who makes all tags alike pays us one comparison sort, nothing worse.
fn sort(tags: &[u128]) -> Big<u128> {
    sort_uniform(tags, |tag| (tag >> 64) as u64, Ord::cmp)
}

/// Packs tags, which are sorted first, into `packed_bytes(n)` zeros. A tag that occurs twice is packed twice.
///
/// # Panics
/// If `packed` has another length.
pub fn pack(tags: &[u128], packed: &mut [u8]) {
    assert_eq!(packed.len(), packed_bytes(tags.len()), "room for that many tags");
    let layout = Layout::of(tags.len());
    let (upper, lower) = packed.as_chunks_mut::<WORD_BYTES>().0.split_at_mut(layout.upper_words());
    let low = layout.low() as usize;
    let add = |words: &mut [[u8; WORD_BYTES]], at: usize, bits: u64| {
        if let Some(word) = words.get_mut(at) {
            *word = (u64::from_le_bytes(*word) | bits).to_le_bytes();
        }
    };
    for (i, tag) in sort(tags).iter().enumerate() {
        let one = layout.top(*tag) + i;
        add(upper, one / 64, 1 << (one % 64));
        let rest = tag & layout.mask();
        let (word, bit) = (i * low / 64, i * low % 64);
        let shifted = rest << bit;
        add(lower, word, shifted as u64);
        add(lower, word + 1, (shifted >> 64) as u64);
        if bit > 0 {
            add(lower, word + 2, (rest >> (128 - bit)) as u64);
        }
    }
}

/// A packed set, read where it lies: in buckets of tags with the same leading bits.
pub struct Packed<'a> {
    layout: Layout,
    upper: &'a [[u8; WORD_BYTES]],
    lower: &'a [[u8; WORD_BYTES]],
    /// Tops of a bucket, as a power of two.
    width_log: u32,
    /// Where each bucket begins, and where the last one ends.
    starts: Vec<Start>,
}

/// Where a bucket begins: at which bit of the upper part, and with which tag.
#[derive(Clone, Copy)]
struct Start {
    bit: usize,
    tag: usize,
}

/// The tags of a bucket, and where those of each top begin.
#[derive(Default)]
struct Bucket {
    tags: Vec<u128>,
    bounds: Vec<u32>,
}

impl<'a> Packed<'a> {
    /// Looks at `n` packed tags, which are in ascending order; equal ones may be there.
    ///
    /// # Errors
    /// `Decode` unless it is the packing of a set, as far as the order within a bucket, which shows when it is read.
    pub fn new(n: usize, packed: &'a [u8]) -> Result<Self> {
        let layout = Layout::of(n);
        if packed.len() != packed_bytes(n) {
            return Err(Error::Decode("a packed set of tags has another length".into()));
        }
        let (upper, lower) = packed.as_chunks().0.split_at(layout.upper_words());
        let spare = n * layout.low() as usize % 64;
        let last = lower.last().map_or(0, |last| u64::from_le_bytes(*last));
        let width_log = layout.high - layout.high.min(BUCKETS_LOG);
        let starts = starts(n, upper, 1 << layout.high, 1 << width_log).ok_or_else(malformed)?;
        if spare > 0 && last >> spare != 0 {
            return Err(malformed());
        }
        Ok(Self { layout, upper, lower, width_log, starts })
    }

    /// Reads a bucket; whether its tags are in ascending order.
    fn read(&self, index: usize, into: &mut Bucket) -> bool {
        let (start, end) = (self.starts[index], self.starts[index + 1]);
        let first_top = index << self.width_log;
        let low = self.layout.low() as usize;
        let word = |i: usize| self.lower.get(i).map_or(0, |word| u128::from(u64::from_le_bytes(*word)));
        into.tags.clear();
        into.bounds.clear();
        let (mut i, mut bit, mut ascending) = (start.tag, start.bit, true);
        while i < end.tag {
            let left = u64::from_le_bytes(self.upper[bit / 64]) >> (bit % 64);
            if left == 0 {
                bit = (bit / 64 + 1) * 64;
                continue;
            }
            bit += left.trailing_zeros() as usize;
            let top = bit - i;
            into.bounds.resize(top - first_top + 1, into.tags.len() as u32);
            let (at, shift) = (i * low / 64, i * low % 64);
            let wide = word(at) | word(at + 1) << 64;
            let rest = if shift == 0 { wide } else { wide >> shift | word(at + 2) << (128 - shift) };
            let high = if self.layout.high == 0 { 0 } else { (top as u128) << self.layout.low() };
            let tag = high | rest & self.layout.mask();
            ascending &= into.tags.last().is_none_or(|last| *last <= tag);
            into.tags.push(tag);
            (i, bit) = (i + 1, bit + 1);
        }
        into.bounds.resize((1 << self.width_log) + 1, into.tags.len() as u32);
        ascending
    }

    /// Where in `own` the tags stand that are in the set, ascending.
    ///
    /// # Errors
    /// `Decode` unless it is the one packing of a set.
    pub fn positions(&self, own: &[u128]) -> Result<Vec<i64>> {
        let bucket = |tag: &Numbered| self.layout.top(tag.number()) >> self.width_log;
        let stream = |each: &mut dyn FnMut(&[Numbered])| {
            let mut batch = [Numbered::zeroed(); BATCH];
            for (own, first) in own.chunks(BATCH).zip((0..).step_by(BATCH)) {
                let batch = &mut batch[..own.len()];
                for ((to, tag), at) in batch.iter_mut().zip(own).zip(first..) {
                    *to = Numbered::new(*tag, at);
                }
                each(batch);
            }
        };
        let buckets = self.starts.len() - 1;
        let (scattered, bounds) = scatter(own.len(), stream, buckets, bucket);
        let marks: Vec<AtomicBool> = (0..own.len()).map(|_| AtomicBool::new(false)).collect();
        let ascending = AtomicBool::new(true);
        (0..buckets).into_par_iter().with_min_len(8).for_each_init(Bucket::default, |theirs, index| {
            if !self.read(index, theirs) {
                ascending.store(false, Relaxed);
            }
            for own in &scattered[bounds[index] as usize..bounds[index + 1] as usize] {
                let tag = own.number();
                let top = self.layout.top(tag) - (index << self.width_log);
                let group = &theirs.tags[theirs.bounds[top] as usize..theirs.bounds[top + 1] as usize];
                let found = if group.len() > PROBES {
                    group.binary_search(&tag).is_ok()
                } else {
                    group.iter().fold(false, |found, other| found | (*other == tag))
                };
                if found {
                    marks[own.at as usize].store(true, Relaxed);
                }
            }
        });
        if !ascending.into_inner() {
            return Err(malformed());
        }
        Ok((0..).zip(marks).filter_map(|(at, mark)| mark.into_inner().then_some(at)).collect())
    }
}

/// Where the buckets of so many tops begin in the upper part; `None` if it is that of no set of `n` tags.
///
/// A tag is a one, and a zero ends each top: what comes before the zero number `t` belongs to tops below `t`.
fn starts(n: usize, upper: &[[u8; WORD_BYTES]], tops: usize, width: usize) -> Option<Vec<Start>> {
    let mut starts = vec![Start { bit: 0, tag: 0 }];
    let mut ones = 0;
    for (index, word) in upper.iter().enumerate() {
        let (mut zeros_left, before) = (!u64::from_le_bytes(*word), index * 64 - ones);
        let zeros = zeros_left.count_ones() as usize;
        let mut seen = before;
        while starts.len() * width <= before + zeros && starts.len() * width < tops {
            while seen + 1 < starts.len() * width {
                zeros_left &= zeros_left - 1;
                seen += 1;
            }
            let bit = index * 64 + zeros_left.trailing_zeros() as usize + 1;
            starts.push(Start { bit, tag: bit - starts.len() * width });
        }
        ones += 64 - zeros;
    }
    let last = upper.iter().rposition(|word| *word != [0; WORD_BYTES]);
    let end = last.map_or(0, |at| (at + 1) * 64 - u64::from_le_bytes(upper[at]).leading_zeros() as usize);
    starts.push(Start { bit: end, tag: n });
    (ones == n && starts.len() == tops / width + 1 && (n == 0 || end - n < tops)).then_some(starts)
}

/// A tag, and where it stands.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Numbered {
    halves: [u64; 2],
    at: u64,
}

impl Numbered {
    fn new(tag: u128, at: usize) -> Self {
        Self { halves: [tag as u64, (tag >> 64) as u64], at: at as u64 }
    }

    fn number(&self) -> u128 {
        u128::from(self.halves[1]) << 64 | u128::from(self.halves[0])
    }
}

/// Tags that are numbered at once.
const BATCH: usize = 256;
/// As a power of two, buckets that tags are looked up by.
const BUCKETS_LOG: u32 = 11;
/// So many tags of a group are compared without a search.
const PROBES: usize = 8;

fn malformed() -> Error {
    Error::Decode("the packed tags are no sorted set in its one encoding".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(tags: &[u128]) -> Vec<u8> {
        let mut packed = vec![0; packed_bytes(tags.len())];
        super::pack(tags, &mut packed);
        packed
    }

    fn uniform(n: usize, seed: u128) -> Vec<u128> {
        let mut state = seed | 1;
        (0..n)
            .map(|_| {
                state = state.wrapping_mul(0xda94_2042_e4dd_58b5_0fed_cba9_8765_4321).wrapping_add(12345);
                state ^ state.rotate_left(61) ^ state >> 47
            })
            .collect()
    }

    #[test]
    fn what_is_packed_unpacks_sorted() {
        for n in [0, 1, 2, 3, 4, 7, 63, 64, 65, 1000, 4096, 5000, 70_000] {
            let tags = uniform(n, 99);
            let packed = pack(&tags);
            let set = Packed::new(n, &packed).unwrap();
            let mut sorted = tags.clone();
            sorted.sort_unstable();
            assert_eq!(tags_of(&set), Some(sorted.clone()));
            assert_eq!(*sort(&tags), sorted);
            assert_eq!(set.positions(&tags).unwrap().len(), n);
            assert!(set.positions(&uniform(100, 7)).unwrap().is_empty());
        }
    }

    #[test]
    fn tags_may_be_anything() {
        for tags in [vec![0; 100], vec![u128::MAX; 100], vec![0, u128::MAX], vec![5; 3], (0..1000).collect()]
        {
            let packed = pack(&tags);
            let set = Packed::new(tags.len(), &packed).unwrap();
            assert_eq!(set.positions(&tags).unwrap().len(), tags.len());
        }
    }

    #[test]
    fn positions_are_those_of_a_search() {
        for (n, own) in [(1, 300), (300, 1), (5000, 700), (70_000, 3000), (700, 70_000)] {
            let (tags, mut own) = (uniform(n, 5), uniform(own, 6));
            let common = n.min(own.len()) / 2;
            own[..common].copy_from_slice(&tags[..common]);
            own.reverse();
            let packed = pack(&tags);
            let found = Packed::new(n, &packed).unwrap().positions(&own).unwrap();
            let expected = (0..).zip(&own).filter(|(_, tag)| tags.contains(tag)).map(|(at, _)| at);
            assert!(found.into_iter().eq(expected));
        }
    }

    #[test]
    fn every_other_encoding_is_refused() {
        for n in [1, 5, 37, 5000] {
            let packed = pack(&uniform(n, 3));
            assert!(Packed::new(n - 1, &packed).is_err());
            assert!(Packed::new(n, &packed[..packed.len() - 1]).is_err());
            for bit in (0..packed.len() * 8).step_by(1 + n / 50) {
                let mut bad = packed.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                let read = Packed::new(n, &bad).ok().and_then(|set| tags_of(&set));
                if let Some(tags) = read {
                    assert_eq!(pack(&tags), bad, "bit {bit} has two encodings");
                }
            }
        }
    }

    #[test]
    fn ones_and_zeros_without_sense_are_refused() {
        for n in [1, 2, 64, 5000] {
            for byte in [0, 0xff, 0x55, 0x80, 0x01] {
                let bytes = vec![byte; packed_bytes(n)];
                let read = Packed::new(n, &bytes).ok().and_then(|set| tags_of(&set));
                assert!(read.is_none_or(|tags| pack(&tags) == bytes));
            }
        }
    }

    fn tags_of(set: &Packed<'_>) -> Option<Vec<u128>> {
        let (mut all, mut bucket) = (Vec::new(), Bucket::default());
        for index in 0..set.starts.len() - 1 {
            if !set.read(index, &mut bucket) {
                return None;
            }
            all.append(&mut bucket.tags);
        }
        Some(all)
    }
}
