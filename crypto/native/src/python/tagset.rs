//! `crypto/tagset.py` calls these.
#![forbid(unsafe_code)]

use super::blocks::{borrow, BLOCK_BYTES};
use super::{bytes, parameter, Indices, Input};
use crate::tagset::{self, TagSet};
use numpy::{PyArray1, PyUntypedArrayMethods};
use pyo3::prelude::*;

/// Rows of sixteen bytes, which compare as bytes do, as numbers that compare alike.
fn tags(rows: &Input<'_>) -> PyResult<Vec<u128>> {
    if rows.shape()[1] != BLOCK_BYTES {
        return Err(parameter("tags have 16 bytes"));
    }
    Ok(borrow::<u128>(bytes(rows)?)?.iter().map(|tag| tag.swap_bytes()).collect())
}

#[pyfunction]
pub(super) fn tagset_packed_bytes(n: usize) -> usize {
    tagset::packed_bytes(n)
}

#[pyfunction]
pub(super) fn tagset_pack<'py>(py: Python<'py>, rows: Input<'py>) -> PyResult<Bound<'py, PyArray1<u8>>> {
    let tags = tags(&rows)?;
    let packed = py.detach(|| tagset::pack(&tags));
    Ok(PyArray1::from_vec(py, packed))
}

#[pyfunction]
pub(super) fn tagset_positions<'py>(
    py: Python<'py>,
    own: Input<'py>,
    n: usize,
    packed: Input<'py>,
) -> PyResult<Indices<'py>> {
    let (own, packed) = (tags(&own)?, bytes(&packed)?);
    let found = py.detach(|| TagSet::unpack(n, packed).map(|set| set.positions(&own)))?;
    Ok(PyArray1::from_vec(py, found))
}
