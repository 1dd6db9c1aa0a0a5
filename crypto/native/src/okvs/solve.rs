//! The banded system from both ends to the middle, and back.
//!
//! Rows that start in the lower half of the starts are eliminated upwards, the others downwards in the mirror.
//! What has no pivot when it reaches the `BAND - 1` slots in the middle is a small dense system there. Its
//! solution is where back substitution starts, in both directions at once. Within a half, chunks of slots are
//! eliminated in parallel, and the few rows that leave a chunk are put into the next ones afterwards.
#![forbid(unsafe_code)]

use super::eliminate::{Row, Slots};
use super::hash::Keys;
use super::tables::{sum, Table, REACH, WIDTH};
use super::{Values, BAND, BATCH};
use crate::errors::{Error, Result};
use crate::memory::Big;
use crate::prg::Aes;
use rayon::prelude::*;

/// Slots between the halves.
const MIDDLE: usize = BAND - 1;
/// Slots eliminated by one task, as a power of two; a multiple of every bucket.
const CHUNK_LOG: u32 = 15;
/// Slots of a tile of back substitution.
const TILE: usize = 256;
const TILE_TABLES: usize = TILE / WIDTH;

/// Solve for all slots; free ones are `free` of their numbers.
pub(crate) fn solve(keys: &Keys, values: Values<'_>, free: &Aes, table: &mut [u128]) -> Result<()> {
    let layout = keys.layout();
    let middle = (layout.buckets() / 2) << layout.bucket_log();
    let mut masks = Big::zeros(table.len());
    let (low_masks, rest) = masks.split_at_mut(middle);
    let high_masks = &mut rest[MIDDLE..];
    let (low_values, rest) = table.split_at_mut(middle);
    let (middle_values, high_values) = rest.split_at_mut(MIDDLE);

    let low = Slots::<false> { masks: &mut *low_masks, values: &mut *low_values };
    let high = Slots::<true> { masks: &mut *high_masks, values: &mut *high_values };
    let (below, above) = rayon::join(|| half(keys, values, low), || half(keys, values, high));
    let known = dense(&below?, &above?, free, middle as u128)?;
    middle_values.copy_from_slice(&known[..MIDDLE]);

    let mut mirrored = known;
    mirrored[..MIDDLE].reverse();
    let top = (layout.slots() - 1) as u128;
    rayon::join(
        || substitute::<false>(low_masks, low_values, &known, |from, out| free.ctr(from as u128, out)),
        || {
            substitute::<true>(high_masks, high_values, &mirrored, |from, out| {
                free.ctr(top + 1 - (from + out.len()) as u128, out);
                out.reverse();
            });
        },
    );
    Ok(())
}

/// Eliminate the rows of one half; those that arrive in the middle, with slots counted from there.
fn half<const MIRROR: bool>(
    keys: &Keys,
    values: Values<'_>,
    mut slots: Slots<'_, MIRROR>,
) -> Result<Vec<Row>> {
    let length = slots.masks.len();
    let eliminate = |(index, (masks, values_of)): (usize, (&mut [u128], &mut [u128]))| {
        chunk(keys, values, index << CHUNK_LOG, Slots::<MIRROR> { masks, values: values_of })
    };
    let size = 1 << CHUNK_LOG;
    let leaving: Vec<Vec<Row>> = if MIRROR {
        let chunks = slots.masks.par_rchunks_mut(size).zip(slots.values.par_rchunks_mut(size));
        chunks.enumerate().map(eliminate).collect::<Result<_>>()?
    } else {
        let chunks = slots.masks.par_chunks_mut(size).zip(slots.values.par_chunks_mut(size));
        chunks.enumerate().map(eliminate).collect::<Result<_>>()?
    };
    let mut arriving = Vec::new();
    for row in leaving.into_iter().flatten() {
        if let Some(row) = slots.insert(row)? {
            arriving.push(Row { slot: row.slot - length, ..row });
        }
    }
    Ok(arriving)
}

/// Eliminate the rows that start in one chunk of slots, which is `offset` slots into its half; those that leave
/// the chunk, with slots counted from the start of the half.
fn chunk<const MIRROR: bool>(
    keys: &Keys,
    values: Values<'_>,
    offset: usize,
    mut slots: Slots<'_, MIRROR>,
) -> Result<Vec<Row>> {
    let layout = keys.layout();
    let (first, count) = (offset >> layout.bucket_log(), slots.masks.len() >> layout.bucket_log());
    let range = if MIRROR {
        let end = layout.buckets() - first;
        keys.bucket_keys(end - count..end)
    } else {
        keys.bucket_keys(first..first + count)
    };
    let top = layout.starts() - 1;
    let (mut hashed, mut leaving, mut outcome) = ([0; BATCH], Vec::new(), Ok(()));
    let batches = |first: usize, bands: &[super::hash::Band]| {
        let hashed = &mut hashed[..bands.len()];
        match values {
            Values::Hashed => keys.value_batch(first, hashed),
            Values::Given(given) => {
                for (value, &item) in hashed.iter_mut().zip(&keys.order()[first..]) {
                    *value = given[item as usize];
                }
            }
        }
        let mut insert = |row: Row| {
            if outcome.is_ok() {
                match slots.insert(row) {
                    Ok(None) => (),
                    Ok(Some(row)) => leaving.push(Row { slot: row.slot + offset, ..row }),
                    Err(error) => outcome = Err(error),
                }
            }
        };
        if MIRROR {
            for (band, &value) in bands.iter().zip(&*hashed).rev() {
                let mask = band.mask.reverse_bits();
                let shift = mask.trailing_zeros();
                let slot = top - band.start + shift as usize - offset;
                insert(Row { slot, mask: mask >> shift, value });
            }
        } else {
            for (band, &value) in bands.iter().zip(&*hashed) {
                insert(Row { slot: band.start - offset, mask: band.mask, value });
            }
        }
    };
    if MIRROR {
        keys.bands_backwards(range, batches);
    } else {
        keys.bands(range, batches);
    }
    outcome.map(|()| leaving)
}

/// Solve the system of the rows that arrive in the middle from below and from above. The last value is of no
/// slot and zero.
fn dense(below: &[Row], above: &[Row], free: &Aes, middle: u128) -> Result<[u128; BAND]> {
    let mut pivots = [(0u128, 0u128); MIDDLE];
    let below = below.iter().map(|row| (row.mask << row.slot, row.value));
    let above = above.iter().map(|row| (row.mask.reverse_bits() >> 1 >> row.slot, row.value));
    for (mut mask, mut value) in below.chain(above) {
        loop {
            let Some((pivot, sum)) = pivots.get_mut(mask.trailing_zeros() as usize) else {
                return Err(Error::Encoding("the keys have no encoding under this salt".into()));
            };
            if *pivot == 0 {
                (*pivot, *sum) = (mask, value);
                break;
            }
            mask ^= *pivot;
            value ^= *sum;
        }
    }
    let mut known = [0; BAND];
    free.ctr(middle, &mut known[..MIDDLE]);
    for slot in (0..MIDDLE).rev() {
        let (mask, value) = pivots[slot];
        if mask != 0 {
            let later = (slot + 1..MIDDLE).filter(|later| mask >> later & 1 == 1);
            known[slot] = later.fold(value, |sum, later| sum ^ known[later]);
        }
    }
    Ok(known)
}

/// Replace the values of pivots by the solution, from the inner end of a half to the outer. `known` are the
/// slots beyond the inner end; `free` gives the values of free slots from a number on.
fn substitute<const MIRROR: bool>(
    masks: &[u128],
    values: &mut [u128],
    known: &[u128; BAND],
    free: impl Fn(usize, &mut [u128]),
) {
    let mut tables = Box::new([Table::ZERO; TILE_TABLES + REACH]);
    for (table, four) in tables.iter_mut().zip(known.chunks_exact(WIDTH)) {
        *table = Table::new(four.try_into().expect("chunks of that size"));
    }
    let (mut drawn, mut rows) = ([0; TILE], [0; TILE]);
    for from in (0..masks.len()).step_by(TILE).rev() {
        let at = if MIRROR { masks.len() - from - TILE } else { from };
        let tile = &mut values[at..][..TILE];
        rows.copy_from_slice(&masks[at..][..TILE]);
        if MIRROR {
            rows.reverse();
            tile.reverse();
        }
        free(from, &mut drawn);
        for ((value, &drawn), &row) in tile.iter_mut().zip(&drawn).zip(&rows) {
            *value = if row == 0 { drawn } else { *value };
        }
        tables.copy_within(..REACH - 1, TILE_TABLES);
        substitute_tile(&rows, tile, &mut tables);
        if MIRROR {
            tile.reverse();
        }
    }
}

/// One tile: four rows at a time, the far part of each sum before the near tables are known.
#[inline(always)]
fn substitute_tile(rows: &[u128; TILE], tile: &mut [u128], tables: &mut [Table; TILE_TABLES + REACH]) {
    let far = |tables: &[Table; TILE_TABLES + REACH], four: usize| -> [u128; WIDTH] {
        let reach = tables[four..four + REACH].try_into().expect("as many as there are");
        std::array::from_fn(|row| sum::<2>(reach, rows[WIDTH * four + row], row))
    };
    let mut sums = far(tables, TILE_TABLES - 1);
    for four in (0..TILE_TABLES).rev() {
        let next = &tables[four + 1];
        let mut solved = [0; WIDTH];
        for row in (0..WIDTH).rev() {
            let mask = rows[WIDTH * four + row];
            let mut value = tile[WIDTH * four + row] ^ sums[row] ^ next.get((mask << row >> WIDTH) as u64);
            for (later, solved) in solved.iter().enumerate().skip(row + 1) {
                value ^= solved & (mask >> (later - row) & 1).wrapping_neg();
            }
            solved[row] = value;
            tile[WIDTH * four + row] = value;
        }
        if four > 0 {
            sums = far(tables, four - 1);
        }
        tables[four] = Table::new(solved);
    }
}
