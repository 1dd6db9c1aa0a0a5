//! `crypto/tagset.py` calls these.
#![forbid(unsafe_code)]

use super::blocks::{borrow, BLOCK_BYTES};
use super::{bytes, parameter, Indices, Input};
use crate::tagset::{self, Packed};
use numpy::{PyArray1, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::prelude::*;
use std::borrow::Cow;

fn tags<'a>(rows: &'a Input<'_>) -> PyResult<Cow<'a, [u128]>> {
    if rows.shape()[1] != BLOCK_BYTES {
        return Err(parameter("tags have 16 bytes"));
    }
    borrow(bytes(rows)?)
}

/// A new array for the packing of `n` tags, filled without the interpreter.
pub(super) fn packed(
    py: Python<'_>,
    n: usize,
    fill: impl FnOnce(&mut [u8]) + Send,
) -> PyResult<Bound<'_, PyArray1<u8>>> {
    let array = PyArray1::zeros(py, tagset::packed_bytes(n), false);
    let mut writable = array.readwrite();
    let bytes = writable.as_slice_mut().map_err(|_| parameter("a new array is contiguous"))?;
    py.detach(|| fill(bytes));
    drop(writable);
    Ok(array)
}

#[pyfunction]
pub(super) fn tagset_packed_bytes(n: usize) -> usize {
    tagset::packed_bytes(n)
}

#[pyfunction]
pub(super) fn tagset_pack<'py>(py: Python<'py>, rows: Input<'py>) -> PyResult<Bound<'py, PyArray1<u8>>> {
    let tags = tags(&rows)?;
    packed(py, tags.len(), |packed| tagset::pack(&tags, packed))
}

#[pyfunction]
pub(super) fn tagset_positions<'py>(
    py: Python<'py>,
    own: Input<'py>,
    n: usize,
    packed: Input<'py>,
) -> PyResult<Indices<'py>> {
    let (own, packed) = (tags(&own)?, bytes(&packed)?);
    let found = py.detach(|| Packed::new(n, packed)?.positions(&own))?;
    Ok(PyArray1::from_vec(py, found))
}
