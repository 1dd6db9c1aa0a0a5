//! From items to bands: hashing under the salt, and sorting by start.
#![forbid(unsafe_code)]

use super::{Layout, BATCH, MAX_KEYS};
use crate::errors::{Error, Result};
use crate::prg::{cr, Aes};
use rayon::prelude::*;
use std::ops::Range;

/// Items hashed by one task.
const CHUNK: usize = 8192;

/// A row of the matrix: `mask` selects among the slots from `start` on, its lowest bit always.
#[derive(Clone, Copy, Default)]
pub(crate) struct Band {
    pub start: usize,
    pub mask: u128,
}

/// Hashed items in the order of their starts, for one layout and one salt.
///
/// 20 bytes an item. The bands follow from the digests and are computed where they are used.
pub struct Keys {
    layout: Layout,
    digests: Vec<u128>,
    order: Vec<u32>,
    /// Where each bucket of the layout begins.
    bounds: Vec<u32>,
    band: Aes,
    value: Aes,
}

/// Hash items, rows of 32 bytes, to keys of a store.
///
/// `x = MMO(MMO(a) ^ b)` for the item `(a, b)` under AES with the salt as key; the start is the low half of `x`
/// as a fraction, the band is `MMO(x)` under `AES_salt(1)` as key with its lowest bit set, and the value `H_B` is
/// `MMO(x)` under `AES_salt(2)`. The salt is public and must be fixed after the items are: whoever knows it can
/// choose rows that collide (not strings whose BLAKE3 are such rows).
pub fn hash(items: &[[u128; 2]], salt: u128, layout: Layout) -> Result<Keys> {
    if items.len() > MAX_KEYS {
        return Err(Error::Parameter("a store takes at most 2^26 keys".into()));
    }
    let aes = Aes::new(salt);
    let mut subkeys = [1, 2];
    aes.encrypt(&mut subkeys);
    let mut digests = vec![0; items.len()];
    digests.par_chunks_mut(CHUNK).zip(items.par_chunks(CHUNK)).for_each(|(digests, items)| {
        for (digests, items) in digests.chunks_mut(BATCH).zip(items.chunks(BATCH)) {
            compress(&aes, items, digests);
        }
    });
    let (bounds, mut order) = scatter(&digests, &layout);
    let digests = sort(&digests, &mut order, &bounds, &layout);
    Ok(Keys { layout, digests, order, bounds, band: Aes::new(subkeys[0]), value: Aes::new(subkeys[1]) })
}

fn compress(aes: &Aes, items: &[[u128; 2]], digests: &mut [u128]) {
    for (digest, item) in digests.iter_mut().zip(items) {
        *digest = item[0];
    }
    cr(aes, digests);
    for (digest, item) in digests.iter_mut().zip(items) {
        *digest ^= item[1];
    }
    cr(aes, digests);
}

/// Where each bucket begins, and the indices of the digests by bucket.
fn scatter(digests: &[u128], layout: &Layout) -> (Vec<u32>, Vec<u32>) {
    let bucket = |digest: u128| layout.start(digest) >> layout.bucket_log();
    let mut bounds = vec![0; layout.buckets() + 1];
    for &digest in digests {
        bounds[bucket(digest) + 1] += 1;
    }
    for at in 1..bounds.len() {
        bounds[at] += bounds[at - 1];
    }
    let mut next = bounds.clone();
    let mut order = vec![0; digests.len()];
    for (index, &digest) in (0..).zip(digests) {
        let at = &mut next[bucket(digest)];
        order[*at as usize] = index;
        *at += 1;
    }
    (bounds, order)
}

/// Sort each bucket by start, equal ones by index; the digests in that order.
fn sort(digests: &[u128], order: &mut [u32], bounds: &[u32], layout: &Layout) -> Vec<u128> {
    let mut sorted = vec![0; digests.len()];
    let tasks: Vec<_> = split(&mut sorted, bounds).into_iter().zip(split(order, bounds)).collect();
    let low = (1 << layout.bucket_log()) - 1;
    tasks.into_par_iter().with_min_len(8).for_each_init(
        || (Vec::new(), Vec::new()),
        |(next, unsorted), (sorted, order)| {
            unsorted.clear();
            unsorted.extend(order.iter().map(|&index| (digests[index as usize], index)));
            next.clear();
            next.resize(low + 2, 0u32);
            for &(digest, _) in &*unsorted {
                next[(layout.start(digest) & low) + 1] += 1;
            }
            for at in 1..next.len() {
                next[at] += next[at - 1];
            }
            for &(digest, index) in &*unsorted {
                let at = &mut next[layout.start(digest) & low];
                (sorted[*at as usize], order[*at as usize]) = (digest, index);
                *at += 1;
            }
        },
    );
    sorted
}

/// The parts of a slice between neighbouring bounds.
fn split<'a, T>(mut rest: &'a mut [T], bounds: &[u32]) -> Vec<&'a mut [T]> {
    let lengths = bounds.windows(2).map(|pair| (pair[1] - pair[0]) as usize);
    lengths.map(|length| rest.split_off_mut(..length).expect("bounds ascend")).collect()
}

impl Keys {
    /// The layout the keys were hashed for.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.digests.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.digests.is_empty()
    }

    /// The hashed items, in the order of the keys.
    pub fn digests(&self) -> &[u128] {
        &self.digests
    }

    /// Of which item each key is.
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// The value `H_B` of each key, in their order, into `out`.
    pub fn values(&self, out: &mut [u128]) {
        out.par_chunks_mut(BATCH).zip(self.digests.par_chunks(BATCH)).for_each(|(out, digests)| {
            out.copy_from_slice(digests);
            cr(&self.value, out);
        });
    }

    /// Whether two items are equal, or hash to the same.
    pub(crate) fn repeated(&self) -> bool {
        let mut digests = self.digests.clone();
        digests.par_sort_unstable();
        digests.par_windows(2).any(|pair| pair[0] == pair[1])
    }

    /// The keys of a run of buckets.
    pub(crate) fn bucket_keys(&self, buckets: Range<usize>) -> Range<usize> {
        self.bounds[buckets.start] as usize..self.bounds[buckets.end] as usize
    }

    /// Give the bands of a run of keys in batches, each with the number of its first key.
    pub(crate) fn bands(&self, keys: Range<usize>, mut each: impl FnMut(usize, &[Band])) {
        let mut batch = Batch::default();
        for first in keys.clone().step_by(BATCH) {
            each(first, batch.fill(self, first..keys.end.min(first + BATCH)));
        }
    }

    /// The same batches, the last first.
    pub(crate) fn bands_backwards(&self, keys: Range<usize>, mut each: impl FnMut(usize, &[Band])) {
        let mut batch = Batch::default();
        for first in keys.clone().step_by(BATCH).rev() {
            each(first, batch.fill(self, first..keys.end.min(first + BATCH)));
        }
    }

    /// The values `H_B` of the keys from `first` on.
    pub(crate) fn value_batch(&self, first: usize, out: &mut [u128]) {
        out.copy_from_slice(&self.digests[first..first + out.len()]);
        cr(&self.value, out);
    }
}

/// Room for the bands of some keys.
struct Batch {
    bands: [Band; BATCH],
    masks: [u128; BATCH],
}

impl Default for Batch {
    fn default() -> Self {
        Self { bands: [Band::default(); BATCH], masks: [0; BATCH] }
    }
}

impl Batch {
    fn fill(&mut self, keys: &Keys, range: Range<usize>) -> &[Band] {
        let digests = &keys.digests[range];
        let masks = &mut self.masks[..digests.len()];
        masks.copy_from_slice(digests);
        cr(&keys.band, masks);
        for ((band, &digest), &mask) in self.bands.iter_mut().zip(digests).zip(&*masks) {
            *band = Band { start: keys.layout.start(digest), mask: mask | 1 };
        }
        &self.bands[..digests.len()]
    }
}
