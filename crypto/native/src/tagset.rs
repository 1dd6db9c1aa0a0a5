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
use crate::memory::{fetch, Big};
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

/// A packed set that was unpacked, for looking up.
pub struct TagSet {
    layout: Layout,
    tags: Big<u128>,
    /// Where the tags with each top begin.
    bounds: Big<u32>,
}

impl TagSet {
    /// Unpacks `n` tags, which are in ascending order; equal ones may be there.
    ///
    /// # Errors
    /// `Decode` unless it is the one packing of a set.
    pub fn unpack(n: usize, packed: &[u8]) -> Result<Self> {
        let layout = Layout::of(n);
        if packed.len() != packed_bytes(n) {
            return Err(Error::Decode("a packed set of tags has another length".into()));
        }
        let (upper, lower) = packed.as_chunks().0.split_at(layout.upper_words());
        let word = |i: usize| lower.get(i).map_or(0, |word| u128::from(u64::from_le_bytes(*word)));
        let low = layout.low() as usize;
        let groups = 1usize << layout.high;
        let (mut tags, mut bounds) = (Big::scratch(n), Big::scratch(groups + 1));
        let (mut i, mut bounded) = (0, 0);
        for (w, bits) in upper.iter().enumerate() {
            let mut left = u64::from_le_bytes(*bits);
            while left != 0 {
                let one = w * 64 + left.trailing_zeros() as usize;
                left &= left - 1;
                let top = one.wrapping_sub(i);
                if i == n || top >= groups {
                    return Err(malformed());
                }
                while bounded <= top {
                    bounds[bounded] = i as u32;
                    bounded += 1;
                }
                let (at, bit) = (i * low / 64, i * low % 64);
                let wide = word(at) | word(at + 1) << 64;
                let rest = if bit == 0 { wide } else { wide >> bit | word(at + 2) << (128 - bit) };
                let high = if layout.high == 0 { 0 } else { (top as u128) << layout.low() };
                tags[i] = high | rest & layout.mask();
                if i > 0 && tags[i - 1] > tags[i] {
                    return Err(malformed());
                }
                i += 1;
            }
        }
        bounds[bounded..].fill(n as u32);
        let spare = n * low % 64;
        let last = lower.last().map_or(0, |last| u64::from_le_bytes(*last));
        if i != n || spare > 0 && last >> spare != 0 {
            return Err(malformed());
        }
        Ok(Self { layout, tags, bounds })
    }

    /// Where in `own` the tags stand that are in the set, ascending.
    ///
    /// They are taken by their leading bits, a bucket at a time, whose part of the set stays in the cache.
    pub fn positions(&self, own: &[u128]) -> Vec<i64> {
        let coarse = self.layout.high.min(BUCKETS_LOG);
        let bucket = |tag: &Numbered| self.layout.top(tag.number()) >> (self.layout.high - coarse);
        let stream = |each: &mut dyn FnMut(&[Numbered])| {
            let mut batch = [Numbered::zeroed(); BATCH];
            for (own, first) in own.chunks(BATCH).zip((0..).step_by(BATCH)) {
                let batch = &mut batch[..own.len()];
                batch
                    .iter_mut()
                    .zip(own)
                    .zip(first..)
                    .for_each(|((to, tag), at)| *to = Numbered::new(*tag, at));
                each(batch);
            }
        };
        let (scattered, bounds) = scatter(own.len(), stream, 1 << coarse, bucket);
        let marks: Vec<AtomicBool> = (0..own.len()).map(|_| AtomicBool::new(false)).collect();
        let (tags, groups) = (&*self.tags, &*self.bounds);
        let width = 1 << (self.layout.high - coarse);
        bounds.par_windows(2).enumerate().with_min_len(8).for_each(|(index, bucket)| {
            let own = &scattered[bucket[0] as usize..bucket[1] as usize];
            if own.len() > width / 4 {
                fetch(&tags[groups[index * width] as usize..groups[(index + 1) * width] as usize]);
            }
            for own in own {
                let tag = own.number();
                let top = self.layout.top(tag);
                let group = &tags[groups[top] as usize..groups[top + 1] as usize];
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
        (0..).zip(marks).filter_map(|(at, mark)| mark.into_inner().then_some(at)).collect()
    }
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
            let set = TagSet::unpack(n, &packed).unwrap();
            let mut sorted = tags.clone();
            sorted.sort_unstable();
            assert_eq!(*set.tags, sorted);
            assert_eq!(*sort(&tags), sorted);
            assert_eq!(set.positions(&tags).len(), n);
            assert!(set.positions(&uniform(100, 7)).is_empty());
        }
    }

    #[test]
    fn tags_may_be_anything() {
        for tags in [vec![0; 100], vec![u128::MAX; 100], vec![0, u128::MAX], vec![5; 3], (0..1000).collect()]
        {
            let set = TagSet::unpack(tags.len(), &pack(&tags)).unwrap();
            assert_eq!(set.positions(&tags).len(), tags.len());
        }
    }

    #[test]
    fn every_other_encoding_is_refused() {
        let tags = uniform(37, 3);
        let packed = pack(&tags);
        assert!(TagSet::unpack(36, &packed).is_err());
        assert!(TagSet::unpack(37, &packed[..packed.len() - 1]).is_err());
        let same = |set: &TagSet| pack(&set.tags) == packed;
        for bit in 0..packed.len() * 8 {
            let mut bad = packed.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            if let Ok(set) = TagSet::unpack(37, &bad) {
                assert!(!same(&set), "bit {bit} says nothing");
                assert_eq!(pack(&set.tags), bad, "bit {bit} has two encodings");
            }
        }
    }
}
