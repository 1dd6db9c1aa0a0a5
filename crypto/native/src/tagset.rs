//! Sets of uniformly distributed 128-bit tags: sorted, packed by Elias-Fano, looked up.
//!
//! Tags are compared as big-endian numbers. A sorted set of `n` uniform tags carries about `n log2 n` bits less
//! than the tags one by one; Elias-Fano coding saves nearly that much and has one length for a given `n`, so that
//! the length says nothing about the set: the upper `h = floor(log2 n)` bits of each tag stand in unary, `n + 2^h`
//! bits in all, and the lower `128 - h` bits as they are.
//!
//! Source: P. Elias, "Efficient storage and retrieval by content and address of static files", JACM 21 (1974);
//! S. Vigna, "Quasi-succinct indices", WSDM 2013.
#![forbid(unsafe_code)]

use crate::errors::{Error, Result};
use crate::rows::{for_each_group, group_bits, grouped};

/// Bytes of a tag.
pub const TAG_BYTES: usize = 16;

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
    8 * (layout.upper_words() + layout.lower_words())
}

/// Sorts tags that are close to uniform.
///
/// A sender who makes all tags alike pays us one comparison sort, nothing worse.
fn sort(tags: &[u128]) -> Vec<u128> {
    let (mut sorted, bounds) = grouped(tags, |tag| *tag);
    for_each_group(&mut sorted, &bounds, <[u128]>::sort_unstable);
    sorted
}

/// Packs tags, which are sorted first. A tag that occurs twice is packed twice.
pub fn pack(tags: &[u128]) -> Vec<u8> {
    let layout = Layout::of(tags.len());
    let sorted = sort(tags);
    let mut upper = vec![0u64; layout.upper_words()];
    let mut lower = vec![0u64; layout.lower_words() + 2];
    let low = layout.low() as usize;
    for (i, &tag) in sorted.iter().enumerate() {
        let one = layout.top(tag) + i;
        upper[one / 64] |= 1 << (one % 64);
        let rest = tag & layout.mask();
        let (word, bit) = (i * low / 64, i * low % 64);
        let shifted = rest << bit;
        lower[word] |= shifted as u64;
        lower[word + 1] |= (shifted >> 64) as u64;
        if bit > 0 {
            lower[word + 2] |= (rest >> (128 - bit)) as u64;
        }
    }
    lower.truncate(layout.lower_words());
    upper.iter().chain(&lower).flat_map(|word| word.to_le_bytes()).collect()
}

/// A packed set that was unpacked, for looking up.
pub struct TagSet {
    layout: Layout,
    tags: Vec<u128>,
    bounds: Vec<u32>,
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
        let words: Vec<u64> =
            packed.chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().unwrap_or_default())).collect();
        let (upper, lower) = words.split_at(layout.upper_words());
        let word = |i: usize| u128::from(lower.get(i).copied().unwrap_or(0));
        let low = layout.low() as usize;
        let groups = 1usize << layout.high;
        let mut tags = Vec::with_capacity(n);
        let mut bounds = Vec::with_capacity(groups + 1);
        bounds.push(0u32);
        for (w, &bits) in upper.iter().enumerate() {
            let mut left = bits;
            while left != 0 {
                let one = w * 64 + left.trailing_zeros() as usize;
                left &= left - 1;
                let i = tags.len();
                let top = one - i.min(one);
                if i == n || one < i || top >= groups {
                    return Err(malformed());
                }
                bounds.resize(top + 1, i as u32);
                let (at, bit) = (i * low / 64, i * low % 64);
                let wide = word(at) | word(at + 1) << 64;
                let rest = if bit == 0 { wide } else { wide >> bit | word(at + 2) << (128 - bit) };
                let high = if layout.high == 0 { 0 } else { (top as u128) << layout.low() };
                tags.push(high | rest & layout.mask());
            }
        }
        if tags.len() != n || tags.windows(2).any(|pair| pair[0] > pair[1]) {
            return Err(malformed());
        }
        bounds.resize(groups + 1, n as u32);
        let spare = n * low % 64;
        if spare > 0 && lower.last().is_some_and(|last| last >> spare != 0) {
            return Err(malformed());
        }
        Ok(Self { layout, tags, bounds })
    }

    /// Where in `own` the tags stand that are in the set, ascending.
    pub fn positions(&self, own: &[u128]) -> Vec<i64> {
        let found = |&(_, &tag): &(usize, &u128)| {
            let top = self.layout.top(tag);
            let group = &self.tags[self.bounds[top] as usize..self.bounds[top + 1] as usize];
            if group.len() < 32 {
                group.contains(&tag)
            } else {
                group.binary_search(&tag).is_ok()
            }
        };
        own.iter().enumerate().filter(found).map(|(i, _)| i as i64).collect()
    }
}

fn malformed() -> Error {
    Error::Decode("the packed tags are no sorted set in its one encoding".into())
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(packed.len(), packed_bytes(n));
            let set = TagSet::unpack(n, &packed).unwrap();
            let mut sorted = tags.clone();
            sorted.sort_unstable();
            assert_eq!(set.tags, sorted);
            assert_eq!(sort(&tags), sorted);
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
