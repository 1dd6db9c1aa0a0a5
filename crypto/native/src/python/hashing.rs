//! `crypto/hashing.py` calls these.
#![forbid(unsafe_code)]

use super::{bytes, fixed, items, parameter, rows_out, Input, Rows};
use crate::hashing::{self, HASH_BYTES};
use crate::rows::Items;
use numpy::PyReadonlyArray1;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

/// Bytes, or the bytes of rows.
#[derive(FromPyObject)]
pub(super) enum Material<'py> {
    Bytes(PyBackedBytes),
    Rows(Input<'py>),
}

#[pyfunction]
pub(super) fn hashing_derive_key(
    py: Python<'_>,
    label: &str,
    material: Vec<Material<'_>>,
) -> PyResult<[u8; HASH_BYTES]> {
    let parts = material.iter().map(|part| match part {
        Material::Bytes(part) => Ok(&part[..]),
        Material::Rows(rows) => bytes(rows),
    });
    let parts = parts.collect::<PyResult<Vec<_>>>()?;
    Ok(py.detach(|| hashing::derive_key(label, &parts)))
}

#[pyfunction]
pub(super) fn hashing_keyed_rows<'py>(py: Python<'py>, key: &[u8], rows: Input<'py>) -> PyResult<Rows<'py>> {
    let (key, items) = (fixed(key)?, items(&rows)?);
    let hashes = py.detach(|| hashing::keyed_rows(key, &[], &items));
    rows_out(py, hashes, HASH_BYTES)
}

#[pyfunction]
pub(super) fn hashing_keyed_values<'py>(
    py: Python<'py>,
    key: &[u8],
    prefix: &[u8],
    values: &[u8],
    ends: PyReadonlyArray1<'py, u64>,
) -> PyResult<Rows<'py>> {
    let ends = ends.as_slice().map_err(|_| parameter("the array of ends is not contiguous"))?;
    let (key, items) = (fixed(key)?, Items::packed(values, ends)?);
    let hashes = py.detach(|| hashing::keyed_rows(key, prefix, &items));
    rows_out(py, hashes, HASH_BYTES)
}
