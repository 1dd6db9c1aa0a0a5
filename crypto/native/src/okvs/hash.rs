//! From items to bands: hashing under the salt, and sorting by start.
#![forbid(unsafe_code)]

use super::{Layout, BATCH, MAX_KEYS};
use crate::errors::{Error, Result};
use crate::memory::{fetch, Big};
use crate::prg::{cr, Aes};
use crate::rows::{scatter, split};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Digests that are compared each with each.
const FEW: usize = 32;

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
    digests: Big<u128>,
    order: Big<u32>,
    repeated: bool,
    /// Where each bucket of the layout begins.
    bounds: Vec<u32>,
    band: Aes,
    value: Aes,
}

/// A digest, low half first, and the index of its item.
type Hashed = [u64; 3];

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
    let stream = |each: &mut dyn FnMut(&[Hashed])| {
        let (mut digests, mut hashed) = ([0; BATCH], [[0; 3]; BATCH]);
        for (items, first) in items.chunks(BATCH).zip((0..).step_by(BATCH)) {
            let (digests, hashed) = (&mut digests[..items.len()], &mut hashed[..items.len()]);
            compress(&aes, items, digests);
            for ((hashed, digest), index) in hashed.iter_mut().zip(&*digests).zip(first..) {
                *hashed = [*digest as u64, (*digest >> 64) as u64, index];
            }
            each(hashed);
        }
    };
    let bucket = |hashed: &Hashed| layout.start(u128::from(hashed[0])) >> layout.bucket_log();
    let (scattered, bounds) = scatter(items.len(), stream, layout.buckets(), bucket);
    let (digests, order, repeated) = sort(&scattered, &bounds, &layout);
    Ok(Keys {
        layout,
        digests,
        order,
        repeated,
        bounds,
        band: Aes::new(subkeys[0]),
        value: Aes::new(subkeys[1]),
    })
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

/// Sort each bucket by start, equal ones by index: the digests, of which item each is, and whether one repeats.
fn sort(scattered: &[Hashed], bounds: &[u32], layout: &Layout) -> (Big<u128>, Big<u32>, bool) {
    let repeated = AtomicBool::new(false);
    let (mut digests, mut order) = (Big::scratch(scattered.len()), Big::scratch(scattered.len()));
    let ranges = bounds.par_windows(2).map(|pair| &scattered[pair[0] as usize..pair[1] as usize]);
    let outs = split(&mut digests, bounds).into_par_iter().zip(split(&mut order, bounds));
    let low = (1 << layout.bucket_log()) - 1;
    let start = |hashed: &Hashed| layout.start(u128::from(hashed[0])) & low;
    outs.zip(ranges).with_min_len(8).for_each_init(Vec::new, |next, ((digests, order), bucket)| {
        fetch(digests);
        fetch(order);
        next.clear();
        next.resize(low + 2, 0u32);
        for hashed in bucket {
            next[start(hashed) + 1] += 1;
        }
        for at in 1..next.len() {
            next[at] += next[at - 1];
        }
        for hashed in bucket {
            let at = &mut next[start(hashed)];
            digests[*at as usize] = u128::from(hashed[1]) << 64 | u128::from(hashed[0]);
            order[*at as usize] = hashed[2] as u32;
            *at += 1;
        }
        let mut from = 0;
        for end in &next[..=low] {
            if repeats(&digests[from..*end as usize]) {
                repeated.store(true, Relaxed);
            }
            from = *end as usize;
        }
    });
    (digests, order, repeated.into_inner())
}

/// Whether a digest stands twice among those of one start.
fn repeats(digests: &[u128]) -> bool {
    if digests.len() <= FEW {
        return digests.iter().enumerate().any(|(at, digest)| digests[..at].contains(digest));
    }
    let mut sorted = digests.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).any(|pair| pair[0] == pair[1])
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
    pub fn repeated(&self) -> bool {
        self.repeated
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
