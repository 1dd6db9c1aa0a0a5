//! Rows of sixteen bytes as blocks, without a copy where the memory is aligned: NumPy's own is.
#![forbid(unsafe_code)]

use super::{bytes, parameter, Input, Rows};
use crate::errors::Result;
use numpy::{PyArray2, PyArrayMethods, PyReadwriteArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use std::borrow::Cow;

/// Bytes of a block.
pub(super) const BLOCK_BYTES: usize = 16;

/// Borrow bytes as little-endian words of `u128`, or copy them if they are not aligned.
pub(super) fn borrow<T: bytemuck::AnyBitPattern + bytemuck::NoUninit>(
    bytes: &[u8],
) -> PyResult<Cow<'_, [T]>> {
    match bytemuck::try_cast_slice(bytes) {
        Ok(words) => Ok(Cow::Borrowed(words)),
        Err(_) if bytes.len().is_multiple_of(size_of::<T>()) => {
            Ok(Cow::Owned(bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect()))
        }
        Err(_) => Err(parameter("an array of blocks has rows of sixteen bytes")),
    }
}

/// Borrow rows as blocks.
pub(super) fn blocks<'a>(array: &'a Input<'_>) -> PyResult<Cow<'a, [u128]>> {
    if array.shape()[1] != BLOCK_BYTES {
        return Err(parameter("blocks have 16 bytes"));
    }
    borrow(bytes(array)?)
}

/// A new array of `n` blocks, filled without the interpreter. The memory is NumPy's: it comes in huge pages.
pub(super) fn filled(
    py: Python<'_>,
    n: usize,
    fill: impl FnOnce(&mut [u128]) -> Result<()> + Send,
) -> PyResult<Rows<'_>> {
    let array = PyArray2::<u8>::zeros(py, [n, BLOCK_BYTES], false);
    let mut writable = array.readwrite();
    let bytes = contiguous(&mut writable)?;
    py.detach(|| as_blocks(bytes, fill))?;
    drop(writable);
    Ok(array)
}

fn contiguous<'a>(array: &'a mut PyReadwriteArray2<'_, u8>) -> PyResult<&'a mut [u8]> {
    array.as_slice_mut().map_err(|_| parameter("a new array is contiguous"))
}

/// Fill bytes as blocks: where they lie, if they are aligned as blocks are.
fn as_blocks(bytes: &mut [u8], fill: impl FnOnce(&mut [u128]) -> Result<()>) -> Result<()> {
    if let Ok(blocks) = bytemuck::try_cast_slice_mut(bytes) {
        return fill(blocks);
    }
    let mut blocks = vec![0; bytes.len() / BLOCK_BYTES];
    let outcome = fill(&mut blocks);
    bytes.copy_from_slice(bytemuck::cast_slice(&blocks));
    outcome
}
