//! `crypto/secagg/ring.py` calls these. A vector comes as the bytes of its words, and says how wide they are.
#![forbid(unsafe_code)]

use super::{bytes, fixed, parameter, rows_out, Input, Rows};
use crate::hashing::HASH_BYTES;
use crate::ring::{self, Mask, Word, SEED_BYTES};
use numpy::{PyReadonlyArray1, PyReadwriteArray1, PyUntypedArrayMethods};
use pyo3::prelude::*;

/// Run a function on words of a width that is known only now.
macro_rules! at_width {
    ($width:expr, $function:ident($($argument:expr),*)) => {
        match $width {
            8 => $function::<u8>($($argument),*),
            16 => $function::<u16>($($argument),*),
            32 => $function::<u32>($($argument),*),
            64 => $function::<u64>($($argument),*),
            _ => Err(parameter("words have 8, 16, 32 or 64 bits")),
        }
    };
}

#[pyfunction]
pub(super) fn ring_add_masks(
    py: Python<'_>,
    mut vector: PyReadwriteArray1<'_, u8>,
    width: u32,
    seeds: Input<'_>,
    negative: &[u8],
    offset: u64,
) -> PyResult<()> {
    if seeds.shape() != [negative.len(), SEED_BYTES] {
        return Err(parameter("a mask is a seed of 32 bytes and its sign"));
    }
    let seeds = bytes(&seeds)?.as_chunks().0;
    let vector = vector.as_slice_mut().map_err(|_| discontiguous())?;
    at_width!(width, add_masks(py, vector, seeds, negative, offset))
}

fn add_masks<W: Word>(
    py: Python<'_>,
    vector: &mut [u8],
    seeds: &[[u8; SEED_BYTES]],
    negative: &[u8],
    offset: u64,
) -> PyResult<()> {
    let words: &mut [W] = bytemuck::try_cast_slice_mut(vector).map_err(|_| unaligned())?;
    py.detach(|| {
        let masks: Vec<_> =
            seeds.iter().zip(negative).map(|(seed, negative)| Mask::new(seed, *negative != 0)).collect();
        ring::add_masks(words, &masks, offset);
    });
    Ok(())
}

#[pyfunction]
pub(super) fn ring_exceeds(
    py: Python<'_>,
    vector: PyReadonlyArray1<'_, u8>,
    width: u32,
    cap: u64,
) -> PyResult<bool> {
    let vector = vector.as_slice().map_err(|_| discontiguous())?;
    at_width!(width, exceeds(py, vector, cap))
}

fn exceeds<W: Word>(py: Python<'_>, vector: &[u8], cap: u64) -> PyResult<bool> {
    let words: &[W] = bytemuck::try_cast_slice(vector).map_err(|_| unaligned())?;
    Ok(py.detach(|| ring::exceeds(words, cap)))
}

#[pyfunction]
pub(super) fn ring_digests<'py>(
    py: Python<'py>,
    key: &[u8],
    vector: PyReadonlyArray1<'py, u8>,
) -> PyResult<Rows<'py>> {
    let (key, vector) = (fixed(key)?, vector.as_slice().map_err(|_| discontiguous())?);
    let hashes = py.detach(|| ring::digests(key, vector));
    rows_out(py, hashes, HASH_BYTES)
}

fn discontiguous() -> PyErr {
    parameter("a vector is contiguous")
}

fn unaligned() -> PyErr {
    parameter("a vector is aligned, and has whole words")
}
