//! `crypto/secagg/shamir.py` calls these.
#![forbid(unsafe_code)]

use super::{bytes, fixed, parameter, rows_out, Input, Rows};
use crate::shamir::{self, SECRET_BYTES};
use numpy::PyUntypedArrayMethods;
use pyo3::prelude::*;
use pyo3::types::PyByteArray;

/// The secret comes as a row, which may be the memory of something that its owner can wipe.
#[pyfunction]
pub(super) fn shamir_split<'py>(
    py: Python<'py>,
    secret: Input<'py>,
    threshold: usize,
    xs: &[u8],
    coefficients: Option<&[u8]>,
) -> PyResult<Rows<'py>> {
    let secret = fixed(bytes(&secret)?)?;
    let shares = py.detach(|| shamir::split(secret, threshold, xs, coefficients))?;
    rows_out(py, shares, SECRET_BYTES)
}

#[pyfunction]
pub(super) fn shamir_reconstruct<'py>(
    py: Python<'py>,
    xs: &[u8],
    shares: Input<'py>,
) -> PyResult<Bound<'py, PyByteArray>> {
    if shares.shape() != [xs.len(), SECRET_BYTES] {
        return Err(parameter("a share is a row of 32 bytes and its place"));
    }
    let shares = bytes(&shares)?;
    let secret = py.detach(|| shamir::reconstruct(xs, shares))?;
    Ok(PyByteArray::new(py, &*secret))
}
