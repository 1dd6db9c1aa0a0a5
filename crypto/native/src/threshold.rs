//! Tables in which items that at least `t` members hold show themselves, and others do not: random hashing.
//!
//! An item has a polynomial without constant term, of degree `t - 1`, for each place where it can stand, and a
//! member with the evaluation point `x` writes its value there: `t` values tell that they are of one
//! polynomial, fewer are uniform (`find`). All of it comes from the item's PRF output, so all holders agree.
//!
//! A table has one cell a bin. An item has two bins in it, and a priority that it has in both tables of a pair. Of
//! those that meet in their first bin the lowest stays; then of those that meet in their second, where that is
//! still empty, the highest. In the other table of the pair it is the other way round: what fared badly in one does
//! well in the other. A holder finds an item out if in some table all `t` have it in the same bin, by the same
//! insertion. With `t` holders of sets that have nothing else in common, in `m * t` bins for sets of `m`, a pair
//! fails with the probability
//!
//! `integral over u from 0 to 1 of (1 - e^-u)(1 - e^(u-2))(1 - e^(u-1))(1 - e^(-1-u)) = 0.0614`
//!
//! which for ten pairs is 2^-40.3. Everything else in common, or more holders, makes it smaller or leaves it.
//!
//! Source: Arpaci, Boutaba, Kerschbaum, "Over-Threshold Multiparty Private Set Intersection for Collaborative
//! Network Intrusion Detection", NSDI 2026 (arXiv 2510.12045). Theirs draws the hash of the second insertion for
//! each member anew in its published code; here it is the same for all, without which second insertions do not meet.
#![forbid(unsafe_code)]

mod field;
mod find;

use crate::errors::{Error, Result};
use crate::hashing::HASH_BYTES;
use crate::prg::Aes256;
use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

pub use field::PRIME;
pub use find::{find, Sets, MAX_MEMBERS};

/// Bytes of an item's PRF output.
pub const ITEM_BYTES: usize = 64;
/// Of a polynomial.
pub const MAX_THRESHOLD: usize = 64;
/// What stands in a cell that no item has.
pub const FILLER: i64 = -1;
/// Cells of a member at most.
const MAX_CELLS: usize = 1 << 30;
const MAX_ITEMS: usize = 1 << 31;

/// Where in an item's stream the numbers of a pair of tables stand, one such stretch after the other.
const PAIR_BYTES: u64 = 64;
/// Where the coefficients begin, and those of each place: `2 * table + insertion`.
const COEFFICIENTS_AT: u64 = 1 << 20;
const COEFFICIENTS_BYTES: u64 = 1 << 10;

/// How tables are made, the same for all members of a session.
pub struct Shape<'a> {
    /// The key of the session, under which items become streams.
    pub key: &'a [u8; HASH_BYTES],
    /// How many members have to hold an item.
    pub threshold: usize,
    /// Of each table.
    pub bins: usize,
    /// How many tables.
    pub tables: usize,
}

/// What a member hands in, and what it keeps: for each cell twice the item, plus the insertion, or `FILLER`.
pub struct Tables {
    /// Values modulo `PRIME`, table by table.
    pub cells: Vec<u64>,
    /// What stands in each.
    pub slots: Vec<i64>,
}

/// What of a pair of tables an item's stream says: its priority, and the first and second bin in each.
#[derive(Clone, Copy, Default)]
struct Numbers {
    priority: u64,
    bins: [[u32; 2]; 2],
}

impl Zeroize for Numbers {
    fn zeroize(&mut self) {
        self.priority.zeroize();
        self.bins.zeroize();
    }
}

impl Shape<'_> {
    fn check(&self, items: usize) -> Result<()> {
        threshold(self.threshold)?;
        let cells = self.bins.checked_mul(self.tables).filter(|cells| (1..=MAX_CELLS).contains(cells));
        // The pairs' numbers end before the coefficients begin.
        if cells.is_none() || self.tables >= 1 << 14 || items >= MAX_ITEMS {
            return Err(Error::Parameter("there are no tables of this size".to_owned()));
        }
        Ok(())
    }

    /// The tables of a member: its items (PRF outputs), its evaluation point, and the seed of what fills the rest.
    pub fn build(&self, items: &[[u8; ITEM_BYTES]], point: u64, filler: &[u8; 32]) -> Result<Tables> {
        self.check(items.len())?;
        field::points(&[point])?;
        let n = self.bins * self.tables;
        let mut tables = Tables { cells: self.fillers(filler), slots: vec![FILLER; n] };
        let pairs =
            tables.cells.par_chunks_mut(2 * self.bins).zip(tables.slots.par_chunks_mut(2 * self.bins));
        pairs.enumerate().for_each(|(pair, (cells, slots))| {
            let numbers: Zeroizing<Vec<Numbers>> =
                Zeroizing::new(items.iter().map(|item| self.numbers(item, pair)).collect());
            let halves = cells.chunks_mut(self.bins).zip(slots.chunks_mut(self.bins));
            for (half, (cells, slots)) in halves.enumerate() {
                insert(&numbers, half, slots);
                for (cell, slot) in cells.iter_mut().zip(slots).filter(|(_, slot)| **slot != FILLER) {
                    let place = 2 * (2 * pair + half) as u64 + (*slot & 1) as u64;
                    let item = &items[(*slot >> 1) as usize];
                    *cell = field::value(&coefficients(self.key, item, place, self.threshold), point);
                }
            }
        });
        Ok(tables)
    }

    /// Uniform values for all cells: block `i` of a key stream for cell `i`.
    fn fillers(&self, seed: &[u8; 32]) -> Vec<u64> {
        const PART: usize = 1 << 10;
        let stream = Aes256::new(seed);
        let mut cells = vec![0; self.bins * self.tables];
        cells.par_chunks_mut(PART).enumerate().for_each(|(part, cells)| {
            let mut blocks = [0; PART];
            let blocks = &mut blocks[..cells.len()];
            stream.ctr((part * PART) as u128, blocks);
            cells.iter_mut().zip(blocks).for_each(|(cell, block)| *cell = field::reduce(*block));
        });
        cells
    }

    fn numbers(&self, item: &[u8; ITEM_BYTES], pair: usize) -> Numbers {
        let mut bytes = [0; 40];
        read(self.key, item, pair as u64 * PAIR_BYTES, &mut bytes);
        let words = bytes.as_chunks().0;
        // The upper half of the product: uniform below the number of bins but for 2^-36.
        let bin = |at: usize| ((u128::from(u64::from_le_bytes(words[at])) * self.bins as u128) >> 64) as u32;
        Numbers { priority: u64::from_le_bytes(words[0]), bins: [[bin(1), bin(2)], [bin(3), bin(4)]] }
    }
}

/// Values at some points of the polynomials that items have at places (`2 * table + insertion`).
/// `items.len() * points.len()`.
pub fn values(
    key: &[u8; HASH_BYTES],
    items: &[[u8; ITEM_BYTES]],
    places: &[u32],
    points: &[u64],
    threshold: usize,
) -> Result<Vec<u64>> {
    self::threshold(threshold)?;
    if items.len() != places.len() {
        return Err(Error::Parameter("each item stands at one place".to_owned()));
    }
    field::points(points)?;
    let of = |(item, place): (&[u8; ITEM_BYTES], &u32)| {
        let polynomial = coefficients(key, item, u64::from(*place), threshold);
        points.iter().map(|point| field::value(&polynomial, *point)).collect::<Vec<_>>()
    };
    Ok(items.par_iter().zip(places).flat_map_iter(of).collect())
}

/// Let items take their bins, in the first table of a pair or in the second.
fn insert(numbers: &[Numbers], half: usize, slots: &mut [i64]) {
    const EMPTY: u32 = u32::MAX;
    for insertion in 0..2 {
        let lowest = half == insertion;
        let mut owners = vec![EMPTY; slots.len()];
        for (at, item) in (0..).zip(numbers) {
            let owner = &mut owners[item.bins[half][insertion] as usize];
            let wins = |other: &Numbers| match lowest {
                true => item.priority < other.priority,
                false => item.priority > other.priority,
            };
            if *owner == EMPTY || wins(&numbers[*owner as usize]) {
                *owner = at;
            }
        }
        for (slot, owner) in slots.iter_mut().zip(&owners) {
            if *slot == FILLER && *owner != EMPTY {
                *slot = 2 * i64::from(*owner) + insertion as i64;
            }
        }
        owners.zeroize();
    }
}

/// The coefficients of degree `threshold - 1` down to 1.
fn coefficients(
    key: &[u8; HASH_BYTES],
    item: &[u8; ITEM_BYTES],
    place: u64,
    threshold: usize,
) -> Zeroizing<Vec<u64>> {
    let mut bytes = Zeroizing::new(vec![0; 16 * (threshold - 1)]);
    read(key, item, COEFFICIENTS_AT + place * COEFFICIENTS_BYTES, &mut bytes);
    Zeroizing::new(bytes.as_chunks().0.iter().map(|word| field::reduce(u128::from_le_bytes(*word))).collect())
}

/// Read an item's stream: the output of keyed BLAKE3.
fn read(key: &[u8; HASH_BYTES], item: &[u8; ITEM_BYTES], at: u64, out: &mut [u8]) {
    let mut reader = blake3::Hasher::new_keyed(key).update(item).finalize_xof();
    reader.set_position(at);
    reader.fill(out);
}

fn threshold(threshold: usize) -> Result<()> {
    let fits = (2..=MAX_THRESHOLD).contains(&threshold);
    fits.then_some(())
        .ok_or_else(|| Error::Parameter(format!("a threshold is between 2 and {MAX_THRESHOLD}")))
}

#[cfg(test)]
mod tests;
