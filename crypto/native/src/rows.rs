//! Packed tables of byte rows: lexicographic sort, first occurrences, join.
//!
//! Rows are ordered through keys of 16 bytes, the first eight bytes of a row as a number and its index, so
//! that sorting moves keys and looks at a row only where prefixes collide. An adversary who makes all
//! prefixes equal pays us a `memcmp` a comparison, never a quadratic sort.
#![forbid(unsafe_code)]

use crate::errors::{Error, Result};
use crate::memory::Big;
use bytemuck::Pod;
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

/// A row as it is sorted: its first eight bytes, big endian, and where it stands, below 2^32.
type Key = [u64; 2];

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

    fn row(&self, index: u64) -> &'a [u8] {
        &self.bytes[index as usize * self.width..][..self.width]
    }

    fn key(&self, index: u64) -> Key {
        let row = self.row(index);
        let mut prefix = [0; 8];
        let known = row.len().min(8);
        prefix[..known].copy_from_slice(&row[..known]);
        [u64::from_be_bytes(prefix), index]
    }

    /// What of a row its key does not hold.
    fn tail(&self, index: u64) -> &'a [u8] {
        self.row(index).get(8..).unwrap_or_default()
    }

    /// Keys in the order of their rows; equal rows in the order of their indices.
    fn sorted_keys(&self) -> Big<Key> {
        let mut keys = Big::scratch(self.bytes.len() / self.width);
        keys.par_iter_mut().enumerate().for_each(|(index, key)| *key = self.key(index as u64));
        sort_uniform(&keys, |key| key[0], |a, b| compare(self, a, self, b).then(a[1].cmp(&b[1])))
    }
}

/// Leading bits that tell groups apart, for `n` values that are close to uniform: about one value a group.
pub(crate) fn group_bits(n: usize) -> u32 {
    n.max(1).ilog2()
}

/// Sort values that are ordered by 64 bits first, which are close to uniform; equal values in any order.
///
/// Values are scattered to buckets that fit the caches, by the leading bits of `lead`; each bucket is put in
/// order by the next bits, which leaves neighbours to swap. Where the bits are not uniform, a bucket costs one
/// comparison sort.
pub(crate) fn sort_uniform<T: Pod + Send + Sync>(
    values: &[T],
    lead: impl Fn(&T) -> u64 + Sync,
    compare: impl Fn(&T, &T) -> Ordering + Sync,
) -> Big<T> {
    let bits = group_bits(values.len());
    let coarse = bits.saturating_sub(FINE_BITS).min(COARSE_BITS);
    let fine = bits - coarse;
    let digit = |value: &T| (lead(value).checked_shr(64 - bits).unwrap_or(0) & ((1 << fine) - 1)) as usize;
    let bucket = |value: &T| lead(value).checked_shr(64 - coarse).unwrap_or(0) as usize;
    let (mut sorted, bounds) = scatter(values.len(), |each| each(values), 1 << coarse, bucket);
    let buckets = split(&mut sorted, &bounds);
    buckets.into_par_iter().with_min_len(8).for_each_init(
        || (Vec::new(), Vec::new()),
        |(spare, next), bucket| {
            next.clear();
            next.resize((1 << fine) + 1, 0u32);
            for value in &*bucket {
                next[digit(value) + 1] += 1;
            }
            if next.iter().any(|count| *count > CROWD) {
                bucket.sort_unstable_by(&compare);
                return;
            }
            for at in 1..next.len() {
                next[at] += next[at - 1];
            }
            spare.clear();
            spare.extend_from_slice(bucket);
            for value in spare {
                let place = &mut next[digit(value)];
                bucket[*place as usize] = *value;
                *place += 1;
            }
            insertion(bucket, &compare);
        },
    );
    sorted
}

/// A bucket has about two to so many groups, and a bucket of the last level of cache.
const FINE_BITS: u32 = 9;
/// So many streams are written to at once at most.
const COARSE_BITS: u32 = 12;
/// Neighbours that are swapped into order; more are sorted.
const CROWD: u32 = 16;

/// For values of which each is near its place.
fn insertion<T: Copy>(values: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    for at in 1..values.len() {
        let value = values[at];
        let mut place = at;
        while place > 0 && compare(&values[place - 1], &value).is_gt() {
            values[place] = values[place - 1];
            place -= 1;
        }
        values[place] = value;
    }
}

/// Put `n` values into buckets, in their order; and where each bucket begins.
///
/// `stream` gives the values in batches, twice: to make them again takes less than to keep them.
pub(crate) fn scatter<T: Pod>(
    n: usize,
    stream: impl Fn(&mut dyn FnMut(&[T])),
    buckets: usize,
    bucket: impl Fn(&T) -> usize,
) -> (Big<T>, Vec<u32>) {
    let mut bounds = vec![0u32; buckets + 1];
    stream(&mut |values| {
        for value in values {
            bounds[bucket(value) + 1] += 1;
        }
    });
    for at in 1..bounds.len() {
        bounds[at] += bounds[at - 1];
    }
    let (mut next, mut scattered) = (bounds.clone(), Big::scratch(n));
    let out = &mut *scattered;
    stream(&mut |values| {
        for value in values {
            let place = &mut next[bucket(value)];
            out[*place as usize] = *value;
            *place += 1;
        }
    });
    (scattered, bounds)
}

/// The parts of a slice between neighbouring bounds.
pub(crate) fn split<'a, T>(mut rest: &'a mut [T], bounds: &[u32]) -> Vec<&'a mut [T]> {
    let lengths = bounds.windows(2).map(|pair| (pair[1] - pair[0]) as usize);
    lengths.map(|length| rest.split_off_mut(..length).unwrap_or_default()).collect()
}

fn compare(left: &Table<'_>, a: &Key, right: &Table<'_>, b: &Key) -> Ordering {
    a[0].cmp(&b[0]).then_with(|| left.tail(a[1]).cmp(right.tail(b[1])))
}

/// The rows in lexicographic order.
pub fn sort(table: &Table<'_>) -> Vec<u8> {
    let keys = table.sorted_keys();
    let mut out = vec![0; table.bytes.len()];
    out.par_chunks_mut(table.width)
        .zip(keys.par_iter())
        .with_min_len(4096)
        .for_each(|(row, key)| row.copy_from_slice(table.row(key[1])));
    out
}

/// Indices of the first occurrence of each distinct row, ascending.
pub fn unique(table: &Table<'_>) -> Vec<i64> {
    let keys = table.sorted_keys();
    let mut first = vec![false; keys.len()];
    for (at, key) in keys.iter().enumerate() {
        let repeats = at > 0 && compare(table, &keys[at - 1], table, key).is_eq();
        first[key[1] as usize] = !repeats;
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
                pairs.push((a[i][1] as i64, b[j][1] as i64));
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
