//! Oblivious key-value store: a random-band matrix over GF(2) with values of 128 bits.
//!
//! Each key becomes a band of `BAND` random bits at a random start. `encode` solves the linear system that says
//! "the slots selected by the band of a key sum up to its value", with slots that the system leaves free drawn at
//! random, and `decode` sums up slots. The solution is a function of the system and of the seed alone: pivots
//! are a property of a matrix, so neither threads nor the order of elimination change a bit of it.
//!
//! Four Russians do the sums: the sixteen sums of four neighbouring slots are computed once for all bands that
//! cover them, so that a band costs 33 additions and no branch.
//!
//! Memory access depends on the caller's own keys, never on values; `docs/okvs.md` says what that means, and
//! derives the parameters.
//!
//! Sources: Bienstock, Patel, Seo, Yeo, "Near-Optimal Oblivious Key-Value Stores for Efficient PSI, PSU and
//! Volume-Hiding Multi-Maps", USENIX Security 2023 (the store); Dillinger, Walzer, "Ribbon filter: practically
//! smaller than Bloom and Xor", 2021 (elimination on the fly); Arlazarov, Dinic, Kronrod, Faradzev, 1970 (sums
//! by table).
#![forbid(unsafe_code)]

mod eliminate;
mod hash;
mod layout;
mod solve;
mod tables;
#[cfg(test)]
mod tests;

pub use hash::{hash, Keys};
pub use layout::{Layout, BAND, MAX_KEYS};

use crate::errors::{Error, Result};
use crate::prg::Aes;
use rayon::prelude::*;

/// Keys decoded by one task.
const CHUNK: usize = 8192;
/// Keys decoded before their values are put into the order of the items.
const BLOCK: usize = 1 << 16;
/// Keys whose bands are computed at once; they stay in the first-level cache.
pub(crate) const BATCH: usize = 256;

/// Which value each key maps to.
#[derive(Clone, Copy)]
pub enum Values<'a> {
    /// The hash `H_B` of the key.
    Hashed,
    /// These, in the order of the items.
    Given(&'a [u128]),
}

/// Fill `table` with an encoding of the keys, uniform among all of them if the seed is.
///
/// Fails with `Error::Parameter` if two items are equal, and with `Error::Encoding`, with probability at most
/// 2^-40 over the salt, if there is no encoding; then the table is zeros.
pub fn encode(keys: &Keys, values: Values<'_>, seed: u128, table: &mut [u128]) -> Result<()> {
    if table.len() != keys.layout().slots() {
        return Err(Error::Parameter("the table has another number of slots than the layout".into()));
    }
    if matches!(values, Values::Given(given) if given.len() != keys.len()) {
        return Err(Error::Parameter("a store takes one value for each key".into()));
    }
    if let Err(error) = solve::solve(keys, values, &Aes::new(seed), table) {
        table.fill(0);
        return Err(if keys.repeated() { Error::Parameter("an item stands twice".into()) } else { error });
    }
    Ok(())
}

/// The value of each key, in the order of the items, into `out`.
pub fn decode(table: &[u128], keys: &Keys, out: &mut [u128]) -> Result<()> {
    check(table, keys, out)?;
    let mut block = vec![0; keys.len().min(BLOCK)];
    for (first, order) in (0..).step_by(BLOCK).zip(keys.order().chunks(BLOCK)) {
        let block = &mut block[..order.len()];
        decode_run(table, keys, first, block);
        for (&item, &value) in order.iter().zip(&*block) {
            out[item as usize] = value;
        }
    }
    Ok(())
}

/// The value of each key, in the order of the keys (`Keys::order`), into `out`: faster, no cache is missed.
pub fn decode_sorted(table: &[u128], keys: &Keys, out: &mut [u128]) -> Result<()> {
    check(table, keys, out)?;
    decode_run(table, keys, 0, out);
    Ok(())
}

fn check(table: &[u128], keys: &Keys, out: &[u128]) -> Result<()> {
    if table.len() != keys.layout().slots() || out.len() != keys.len() {
        return Err(Error::Parameter("a table or an output has another size than its keys say".into()));
    }
    Ok(())
}

/// The values of the keys from one on.
fn decode_run(table: &[u128], keys: &Keys, from: usize, out: &mut [u128]) {
    out.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, out)| {
        let mut window = tables::Window::new(table);
        let first = from + chunk * CHUNK;
        keys.bands(first..first + out.len(), |at, bands| {
            for (sum, band) in out[at - first..].iter_mut().zip(bands) {
                *sum = window.sum(band.start, band.mask);
            }
        });
    });
}
