//! Packed tables of byte rows: lexicographic sort, first occurrences, join.
//!
//! Rows are ordered through keys of 16 bytes, the first eight bytes of a row as a number and its index, so
//! that sorting moves keys and looks at a row only where prefixes collide. An adversary who makes all
//! prefixes equal pays us a `memcmp` a comparison, never a quadratic sort.
#![forbid(unsafe_code)]

use crate::errors::{Error, Result};
use rayon::prelude::*;
use std::cmp::Ordering;

/// Many byte strings in one buffer.
#[derive(Clone, Copy)]
pub enum Items<'a> {
    /// `n` rows of `width` bytes.
    Rows {
        /// The rows, one after the other.
        bytes: &'a [u8],
        /// Bytes of a row, at least one.
        width: usize,
    },
    /// Strings of any length.
    Packed {
        /// The strings, one after the other.
        bytes: &'a [u8],
        /// Where each string ends; ascending, the last at most `bytes.len()`.
        ends: &'a [u64],
    },
}

impl<'a> Items<'a> {
    /// Strings of any length, with their ends checked.
    pub fn packed(bytes: &'a [u8], ends: &'a [u64]) -> Result<Self> {
        let ascending = ends.windows(2).all(|pair| pair[0] <= pair[1]);
        if !ascending || ends.last().copied().unwrap_or(0) != bytes.len() as u64 {
            return Err(Error::Parameter("the ends of packed values do not fit their bytes".into()));
        }
        Ok(Self::Packed { bytes, ends })
    }

    /// How many items.
    pub fn len(&self) -> usize {
        match self {
            Self::Rows { bytes, width } => bytes.len() / width,
            Self::Packed { ends, .. } => ends.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Item `index`.
    pub fn get(&self, index: usize) -> &'a [u8] {
        match self {
            Self::Rows { bytes, width } => &bytes[index * width..][..*width],
            Self::Packed { bytes, ends } => {
                let start = index.checked_sub(1).map_or(0, |before| ends[before]);
                &bytes[start as usize..ends[index] as usize]
            }
        }
    }
}

/// A row as it is sorted: its first eight bytes, big endian, and where it stands.
type Key = (u64, u32);

/// `n` rows of the same width.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    bytes: &'a [u8],
    width: usize,
}

impl<'a> Table<'a> {
    /// Rows of `width` bytes; Python checks that the width is at least one.
    pub fn new(bytes: &'a [u8], width: usize) -> Result<Self> {
        if u32::try_from(bytes.len() / width).is_err() {
            return Err(Error::Parameter("a table has fewer than 2^32 rows".into()));
        }
        Ok(Self { bytes, width })
    }

    fn row(&self, index: u32) -> &'a [u8] {
        &self.bytes[index as usize * self.width..][..self.width]
    }

    fn key(&self, index: u32) -> Key {
        let row = self.row(index);
        let mut prefix = [0; 8];
        let known = row.len().min(8);
        prefix[..known].copy_from_slice(&row[..known]);
        (u64::from_be_bytes(prefix), index)
    }

    /// What of a row its key does not hold.
    fn tail(&self, index: u32) -> &'a [u8] {
        self.row(index).get(8..).unwrap_or_default()
    }

    /// Keys in the order of their rows; equal rows in the order of their indices.
    fn sorted_keys(&self) -> Vec<Key> {
        let n = (self.bytes.len() / self.width) as u32;
        let keys: Vec<Key> = (0..n).into_par_iter().map(|index| self.key(index)).collect();
        let (mut keys, bounds) = grouped(&keys, |key| u128::from(key.0) << 64);
        for_each_group(&mut keys, &bounds, |group| {
            group.sort_unstable_by(|a, b| compare(self, a, self, b).then(a.1.cmp(&b.1)));
        });
        keys
    }
}

/// Leading bits that tell groups apart, for `n` values that are close to uniform: about one value a group.
pub(crate) fn group_bits(n: usize) -> u32 {
    n.max(1).ilog2()
}

/// Put values with the same leading bits together, groups in ascending order; and where each group starts.
///
/// Two passes over coarse, then fine groups: to scatter into a million places at once would miss the caches.
pub(crate) fn grouped<T: Copy + Default>(values: &[T], key: impl Fn(&T) -> u128) -> (Vec<T>, Vec<u32>) {
    let bits = group_bits(values.len());
    let leading = |value: &T, bits: u32| key(value).checked_shr(128 - bits).unwrap_or(0) as usize;
    let coarse = bits.min(COARSE_BITS);
    let (rough, bounds) = scatter(values, coarse, |value| leading(value, coarse));
    if coarse == bits {
        return (rough, bounds);
    }
    scatter(&rough, bits, |value| leading(value, bits))
}

const COARSE_BITS: u32 = 10;

/// A counting sort: stable, by `group`, of which there are `2^bits`.
fn scatter<T: Copy + Default>(values: &[T], bits: u32, group: impl Fn(&T) -> usize) -> (Vec<T>, Vec<u32>) {
    let mut bounds = vec![0u32; (1 << bits) + 1];
    for value in values {
        bounds[group(value) + 1] += 1;
    }
    for at in 1..bounds.len() {
        bounds[at] += bounds[at - 1];
    }
    let mut next = bounds.clone();
    let mut out = vec![T::default(); values.len()];
    for value in values {
        let place = &mut next[group(value)];
        out[*place as usize] = *value;
        *place += 1;
    }
    (out, bounds)
}

/// Do something to each group of more than one value, on all cores.
pub(crate) fn for_each_group<T: Send>(values: &mut [T], bounds: &[u32], each: impl Fn(&mut [T]) + Sync) {
    let (mut rest, mut runs) = (values, Vec::new());
    for run in bounds.windows(1 + GROUPS_PER_TASK).step_by(GROUPS_PER_TASK) {
        runs.push((rest.split_off_mut(..(run[GROUPS_PER_TASK] - run[0]) as usize), run));
    }
    let done = runs.len() * GROUPS_PER_TASK;
    runs.push((Some(rest), &bounds[done..]));
    runs.into_par_iter().for_each(|(values, bounds)| {
        let values = values.unwrap_or_default();
        for pair in bounds.windows(2) {
            let group = &mut values[(pair[0] - bounds[0]) as usize..(pair[1] - bounds[0]) as usize];
            if group.len() > 1 {
                each(group);
            }
        }
    });
}

const GROUPS_PER_TASK: usize = 1 << 12;

fn compare(left: &Table<'_>, a: &Key, right: &Table<'_>, b: &Key) -> Ordering {
    a.0.cmp(&b.0).then_with(|| left.tail(a.1).cmp(right.tail(b.1)))
}

/// The rows in lexicographic order.
pub fn sort(table: &Table<'_>) -> Vec<u8> {
    let keys = table.sorted_keys();
    let mut out = vec![0; table.bytes.len()];
    out.par_chunks_mut(table.width)
        .zip(keys.par_iter())
        .with_min_len(4096)
        .for_each(|(row, key)| row.copy_from_slice(table.row(key.1)));
    out
}

/// Indices of the first occurrence of each distinct row, ascending.
pub fn unique(table: &Table<'_>) -> Vec<i64> {
    let keys = table.sorted_keys();
    let mut first = vec![false; keys.len()];
    for (at, key) in keys.iter().enumerate() {
        let repeats = at > 0 && compare(table, &keys[at - 1], table, key).is_eq();
        first[key.1 as usize] = !repeats;
    }
    (0..).zip(first).filter_map(|(index, first)| first.then_some(index)).collect()
}

/// Index pairs of the rows that both tables hold, ascending in the first; neither may repeat a row.
pub fn join(left: &Table<'_>, right: &Table<'_>) -> Result<(Vec<i64>, Vec<i64>)> {
    let (a, b) = rayon::join(|| left.sorted_keys(), || right.sorted_keys());
    distinct(left, &a)?;
    distinct(right, &b)?;
    let mut pairs = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        match compare(left, &a[i], right, &b[j]) {
            Ordering::Less => i += 1,
            Ordering::Greater => j += 1,
            Ordering::Equal => {
                pairs.push((i64::from(a[i].1), i64::from(b[j].1)));
                i += 1;
                j += 1;
            }
        }
    }
    pairs.par_sort_unstable();
    Ok(pairs.into_iter().unzip())
}

fn distinct(table: &Table<'_>, keys: &[Key]) -> Result<()> {
    let repeats = |pair: &[Key]| compare(table, &pair[0], table, &pair[1]).is_eq();
    if keys.par_windows(2).any(repeats) {
        return Err(Error::Parameter("a joined table repeats a row".into()));
    }
    Ok(())
}
