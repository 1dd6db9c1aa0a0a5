//! A Bloom filter in blocks that fit the first cache, sized so that blocks cost next to nothing in false positives.
//!
//! A tag's upper half chooses the block. Both halves seed the probes within it: SplitMix64 from the lower half in steps
//! of the upper one, made odd; each output gives two places of 32 bits. Double hashing, `a + i b mod m`, would know
//! only `m^2` patterns of probes, and among a thousand items at a rate of 2^-20 two patterns meet more often than
//! that; here patterns repeat only where tags do.
//!
//! Source: B. Bloom, CACM 13 (1970); F. Putze, P. Sanders, J. Singler, "Cache-, hash- and space-efficient Bloom
//! filters", JEA 14 (2009), for the blocks; G. Steele, D. Lea, C. Flood, OOPSLA 2014, for SplitMix64.
#![forbid(unsafe_code)]

use super::{answers, CHUNK};
use crate::errors::{Error, Result};
use crate::rows::scatter;
use rayon::prelude::*;

/// Bits of a block at most: 32 KiB.
pub const MAX_BLOCK_BITS: usize = 1 << 18;
/// Probes of a tag at most.
pub const MAX_K: usize = 64;
/// Tags are sorted into so many groups of neighbouring blocks at most.
const GROUPS: usize = 1 << 12;

/// What a filter is but its bits.
#[derive(Clone, Copy)]
pub struct Shape {
    k: usize,
    block_bits: usize,
    blocks: usize,
}

impl Shape {
    /// Checked: whole words of 64 bits in each block, and one block at least.
    ///
    /// # Errors
    /// `Parameter` for any other shape.
    pub fn new(k: usize, block_bits: usize, blocks: usize) -> Result<Self> {
        let words = block_bits.is_multiple_of(64) && (64..=MAX_BLOCK_BITS).contains(&block_bits);
        if !words || !(1..=MAX_K).contains(&k) || blocks == 0 || u32::try_from(blocks).is_err() {
            return Err(Error::Parameter("no Bloom filter has such a shape".into()));
        }
        Ok(Self { k, block_bits, blocks })
    }

    /// Bytes of its bits.
    pub fn bytes(self) -> usize {
        self.blocks * self.block_bytes()
    }

    fn block_bytes(self) -> usize {
        self.block_bits / 8
    }

    fn block(self, tag: u128) -> usize {
        (((tag >> 64) * self.blocks as u128) >> 64) as usize
    }

    /// Whether all places of a tag within its block are as asked, in their order, up to the first that is not.
    #[inline]
    fn all(self, tag: u128, mut place: impl FnMut(usize) -> bool) -> bool {
        let (mut state, step) = (tag as u64, (tag >> 64) as u64 | 1);
        let mut at = |half: u32| place((u64::from(half).wrapping_mul(self.block_bits as u64) >> 32) as usize);
        for _ in 0..self.k / 2 {
            state = state.wrapping_add(step);
            let word = mix(state);
            if !at(word as u32) || !at((word >> 32) as u32) {
                return false;
            }
        }
        self.k.is_multiple_of(2) || at(mix(state.wrapping_add(step)) as u32)
    }

    /// Bits of a filter, of which there must be as many as its shape says.
    fn checked(self, bits: &[u8]) -> Result<&[u8]> {
        match bits.len() == self.bytes() {
            true => Ok(bits),
            false => Err(Error::Parameter("a Bloom filter of this shape has another number of bits".into())),
        }
    }
}

/// The finalizer of SplitMix64: each bit of the output depends on each of the input, of which none is lost.
#[inline]
fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The bits of a filter that holds the tags.
///
/// Tags are sorted by block first: a block then stays in the cache while all its bits are set.
pub fn insert(shape: Shape, tags: &[u128]) -> Vec<u8> {
    let together = shape.blocks.div_ceil(GROUPS);
    let groups = shape.blocks.div_ceil(together);
    let part = tags.len().div_ceil(rayon::current_num_threads()).max(CHUNK);
    let sort =
        |tags: &[u128]| scatter(tags.len(), |each| each(tags), groups, |tag| shape.block(*tag) / together);
    let parts: Vec<_> = tags.par_chunks(part).map(sort).collect();
    let mut bits = vec![0; shape.bytes()];
    bits.par_chunks_mut(together * shape.block_bytes()).enumerate().for_each(|(group, bits)| {
        let of_group = |bounds: &[u32]| bounds[group] as usize..bounds[group + 1] as usize;
        for tag in parts.iter().flat_map(|(tags, bounds)| &tags[of_group(bounds)]) {
            let block = shape.block(*tag) - group * together;
            let bits = &mut bits[block * shape.block_bytes()..][..shape.block_bytes()];
            shape.all(*tag, |place| {
                bits[place / 8] |= 1 << (place % 8);
                true
            });
        }
    });
    bits
}

/// Which tags the filter holds, or seems to hold.
///
/// # Errors
/// `Parameter` if the bits are not as many as the shape says.
pub fn contains(shape: Shape, bits: &[u8], tags: &[u128]) -> Result<Vec<bool>> {
    let bits = shape.checked(bits)?;
    Ok(answers(tags, |tag| {
        let block = &bits[shape.block(tag) * shape.block_bytes()..][..shape.block_bytes()];
        shape.all(tag, |place| block[place / 8] & 1 << (place % 8) != 0)
    }))
}

/// The chance that a random tag seems to be in: of a block, the share of ones to the power of `k`.
///
/// # Errors
/// `Parameter` if the bits are not as many as the shape says.
pub fn rate(shape: Shape, bits: &[u8]) -> Result<f64> {
    let full = |block: &[u8]| {
        let ones: u64 =
            block.as_chunks().0.iter().map(|word| u64::from(u64::from_le_bytes(*word).count_ones())).sum();
        (ones as f64 / shape.block_bits as f64).powi(shape.k as i32)
    };
    // Added in order: the sum is the same on any number of cores.
    let rates: Vec<f64> = shape.checked(bits)?.par_chunks(shape.block_bytes()).map(full).collect();
    Ok(rates.iter().sum::<f64>() / shape.blocks as f64)
}

#[cfg(test)]
mod tests {
    use super::super::tests::uniform;
    use super::*;

    fn one_by_one(shape: Shape, tags: &[u128]) -> Vec<u8> {
        let mut bits = vec![0; shape.bytes()];
        for tag in tags {
            for i in 0..shape.k as u64 {
                let word = mix((*tag as u64).wrapping_add(((tag >> 64) as u64 | 1).wrapping_mul(i / 2 + 1)));
                let place = ((word >> (32 * (i % 2)) & 0xffff_ffff) * shape.block_bits as u64) >> 32;
                let at = shape.block(*tag) * shape.block_bits + place as usize;
                bits[at / 8] |= 1 << (at % 8);
            }
        }
        bits
    }

    #[test]
    fn blocks_in_any_order_give_the_bits_of_tags_one_by_one() {
        for (k, block_bits, blocks, n) in
            [(1, 64, 1, 3), (7, 640, 3, 100), (30, MAX_BLOCK_BITS, 2, 9000), (4, 64, 3 * GROUPS + 5, 40_000)]
        {
            let (shape, tags) = (Shape::new(k, block_bits, blocks).unwrap(), uniform(n, 1));
            let bits = insert(shape, &tags);
            assert_eq!(bits, one_by_one(shape, &tags));
            assert!(contains(shape, &bits, &tags).unwrap().into_iter().all(|held| held));
        }
    }

    #[test]
    fn random_tags_seem_to_be_in_as_often_as_the_rate_says() {
        for (k, blocks) in [(1, 1), (3, 50), (8, 300)] {
            let shape = Shape::new(k, 4096, blocks).unwrap();
            let bits = insert(shape, &uniform(4096 * blocks * 2 / (3 * k), 1));
            let (n, expected) = (400_000, rate(shape, &bits).unwrap());
            let seen =
                contains(shape, &bits, &uniform(n, 2)).unwrap().into_iter().filter(|held| *held).count();
            let deviation = (n as f64 * expected * (1.0 - expected)).sqrt();
            assert!((seen as f64 - n as f64 * expected).abs() < 5.0 * deviation, "{seen} at {expected}");
        }
    }

    #[test]
    fn shapes_and_bits_are_checked() {
        for (k, block_bits, blocks) in [
            (0, 64, 1),
            (65, 64, 1),
            (1, 0, 1),
            (1, 65, 1),
            (1, MAX_BLOCK_BITS + 64, 1),
            (1, 64, 0),
            (1, 64, 1 << 32),
        ] {
            assert!(Shape::new(k, block_bits, blocks).is_err());
        }
        let shape = Shape::new(3, 128, 2).unwrap();
        assert!(contains(shape, &[0; 31], &[]).is_err());
        assert!(rate(shape, &[0; 33]).is_err());
        assert_eq!(rate(shape, &[0xff; 32]).unwrap(), 1.0);
    }
}
