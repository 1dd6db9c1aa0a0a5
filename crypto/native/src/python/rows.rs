//! `crypto/rows.py` calls these.
#![forbid(unsafe_code)]

use super::{bytes, parameter, rows_out, width, Indices, Input, Rows};
use crate::rows::{self, Table};
use numpy::PyArray1;
use pyo3::prelude::*;

fn table<'a>(array: &'a Input<'_>) -> PyResult<Table<'a>> {
    Ok(Table::new(bytes(array)?, width(array)?)?)
}

#[pyfunction]
pub(super) fn rows_sort<'py>(py: Python<'py>, table: Input<'py>) -> PyResult<Rows<'py>> {
    let view = self::table(&table)?;
    let sorted = py.detach(|| rows::sort(&view));
    rows_out(py, sorted, width(&table)?)
}

#[pyfunction]
pub(super) fn rows_unique<'py>(py: Python<'py>, table: Input<'py>) -> PyResult<Indices<'py>> {
    let view = self::table(&table)?;
    Ok(PyArray1::from_vec(py, py.detach(|| rows::unique(&view))))
}

#[pyfunction]
pub(super) fn rows_join<'py>(
    py: Python<'py>,
    left: Input<'py>,
    right: Input<'py>,
) -> PyResult<(Indices<'py>, Indices<'py>)> {
    if width(&left)? != width(&right)? {
        return Err(parameter("joined tables have rows of the same width"));
    }
    let (a, b) = (table(&left)?, table(&right)?);
    let (a, b) = py.detach(|| rows::join(&a, &b))?;
    Ok((PyArray1::from_vec(py, a), PyArray1::from_vec(py, b)))
}
