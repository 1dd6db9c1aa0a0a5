//! `crypto/curve25519.py` calls these.
#![forbid(unsafe_code)]

use super::{bytes, fixed, items, parameter, rows_out, width, Input, Rows};
use crate::curve25519::{self, Scalar, ROW_BYTES};
use crate::group::WIDE_BYTES;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// A secret scalar: opaque, wiped when dropped.
#[pyclass(frozen, module = "crypto._native")]
pub(super) struct Curve25519Scalar(Scalar);

#[pymethods]
impl Curve25519Scalar {
    fn inverse(&self) -> Self {
        Self(self.0.inverse())
    }

    fn __repr__(&self) -> &'static str {
        "<Curve25519Scalar>"
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("cannot pickle or copy a secret"))
    }
}

#[pyfunction]
pub(super) fn curve25519_scalar(draw: Option<&[u8]>) -> PyResult<Curve25519Scalar> {
    Ok(Curve25519Scalar(Scalar::draw(draw.map(fixed).transpose()?)?))
}

#[pyfunction]
pub(super) fn curve25519_encode<'py>(py: Python<'py>, key: &[u8], rows: Input<'py>) -> PyResult<Rows<'py>> {
    let (key, items) = (fixed(key)?, items(&rows)?);
    let points = py.detach(|| curve25519::encode(key, &items));
    rows_out(py, points, ROW_BYTES)
}

#[pyfunction]
pub(super) fn curve25519_map_to_curve<'py>(py: Python<'py>, numbers: Input<'py>) -> PyResult<Rows<'py>> {
    let wide = rows_of(&numbers, WIDE_BYTES)?;
    let points = py.detach(|| curve25519::map_to_curve(wide));
    rows_out(py, points, ROW_BYTES)
}

#[pyfunction]
pub(super) fn curve25519_multiply<'py>(
    py: Python<'py>,
    points: Input<'py>,
    scalar: &Curve25519Scalar,
) -> PyResult<Rows<'py>> {
    let rows = rows_of(&points, ROW_BYTES)?;
    let products = py.detach(|| curve25519::multiply(rows, &scalar.0))?;
    rows_out(py, products, ROW_BYTES)
}

#[pyfunction]
pub(super) fn curve25519_validate(py: Python<'_>, points: Input<'_>) -> PyResult<()> {
    let rows = rows_of(&points, ROW_BYTES)?;
    Ok(py.detach(|| curve25519::validate(rows))?)
}

fn rows_of<'a>(array: &'a Input<'_>, expected: usize) -> PyResult<&'a [u8]> {
    if width(array)? != expected {
        return Err(parameter(&format!("expected rows of {expected} bytes")));
    }
    bytes(array)
}
