//! `crypto/tagset.py` calls these.
#![forbid(unsafe_code)]

use super::blocks::blocks;
use super::{bytes, parameter, Indices, Input};
use crate::tagset::{self, Packed};
use numpy::{PyArray1, PyArrayMethods};
use pyo3::prelude::*;

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
    let tags = blocks(&rows)?;
    packed(py, tags.len(), |packed| tagset::pack(&tags, packed))
}

#[pyfunction]
pub(super) fn tagset_positions<'py>(
    py: Python<'py>,
    own: Input<'py>,
    n: usize,
    packed: Input<'py>,
) -> PyResult<Indices<'py>> {
    let (own, packed) = (blocks(&own)?, bytes(&packed)?);
    let found = py.detach(|| Packed::new(n, packed)?.positions(&own))?;
    Ok(PyArray1::from_vec(py, found))
}
