//! `crypto/commitment.py` calls these.
#![forbid(unsafe_code)]

use super::{bytes, fixed, parameter, rows_out, Input, Rows};
use crate::commitment::{self, Hash, Keys, Opening, HASH_BYTES};
use pyo3::prelude::*;

/// The keys of leaves, of nodes and of roots.
type PublicKeys = [Hash; 3];

fn keys(keys: &PublicKeys) -> Keys<'_> {
    Keys { leaf: &keys[0], node: &keys[1], root: &keys[2] }
}

fn hashes<'a>(array: &'a Input<'_>) -> PyResult<&'a [Hash]> {
    match bytes(array)?.as_chunks() {
        (hashes, []) => Ok(hashes),
        _ => Err(parameter("committed rows have 32 bytes")),
    }
}

#[pyfunction]
pub(super) fn commitment_root(
    py: Python<'_>,
    public: PublicKeys,
    blind: &[u8],
    rows: Input<'_>,
) -> PyResult<Hash> {
    let (blind, rows) = (fixed(blind)?, hashes(&rows)?);
    Ok(py.detach(|| commitment::root(keys(&public), blind, rows))?)
}

/// The blinding value, the place and the path, or nothing.
#[pyfunction]
pub(super) fn commitment_open<'py>(
    py: Python<'py>,
    public: PublicKeys,
    blind: &[u8],
    rows: Input<'py>,
    row: &[u8],
) -> PyResult<Option<(Hash, u64, Rows<'py>)>> {
    let (blind, rows, row) = (fixed(blind)?, hashes(&rows)?, fixed(row)?);
    let Some(opening) = py.detach(|| commitment::open(keys(&public), blind, rows, row))? else {
        return Ok(None);
    };
    let path = rows_out(py, opening.path.as_flattened().to_vec(), HASH_BYTES)?;
    Ok(Some((opening.blind, opening.index, path)))
}

#[pyfunction]
#[pyo3(signature = (public, root, n, row, *, blind, index, path))]
pub(super) fn commitment_verify(
    public: PublicKeys,
    root: &[u8],
    n: u64,
    row: &[u8],
    blind: &[u8],
    index: u64,
    path: Input<'_>,
) -> PyResult<bool> {
    let opening = Opening { blind: *fixed(blind)?, index, path: hashes(&path)?.to_vec() };
    Ok(commitment::verify(keys(&public), fixed(root)?, n, fixed(row)?, &opening))
}
