//! `crypto/filters.py` calls these.
#![forbid(unsafe_code)]

use super::blocks::blocks;
use super::{parameter, Input};
use crate::filters::golomb::{self, Place};
use crate::filters::{bloom, sorted};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

type Answers<'py> = Bound<'py, PyArray1<bool>>;

#[pyfunction]
pub(super) fn filters_bloom_insert<'py>(
    py: Python<'py>,
    tags: Input<'py>,
    k: usize,
    block_bits: usize,
    n_blocks: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let (tags, shape) = (blocks(&tags)?, bloom::Shape::new(k, block_bits, n_blocks)?);
    Ok(PyBytes::new(py, &py.detach(|| bloom::insert(shape, &tags))))
}

#[pyfunction]
pub(super) fn filters_bloom_contains<'py>(
    py: Python<'py>,
    bits: &[u8],
    k: usize,
    block_bits: usize,
    n_blocks: usize,
    tags: Input<'py>,
) -> PyResult<Answers<'py>> {
    let (tags, shape) = (blocks(&tags)?, bloom::Shape::new(k, block_bits, n_blocks)?);
    Ok(PyArray1::from_vec(py, py.detach(|| bloom::contains(shape, bits, &tags))?))
}

#[pyfunction]
pub(super) fn filters_bloom_rate(
    py: Python<'_>,
    bits: &[u8],
    k: usize,
    block_bits: usize,
    n_blocks: usize,
) -> PyResult<f64> {
    let shape = bloom::Shape::new(k, block_bits, n_blocks)?;
    Ok(py.detach(|| bloom::rate(shape, bits))?)
}

#[pyfunction]
pub(super) fn filters_golomb_encode<'py>(
    py: Python<'py>,
    tags: Input<'py>,
    inverse: u64,
) -> PyResult<(usize, Bound<'py, PyBytes>)> {
    let tags = blocks(&tags)?;
    let shape = golomb::Shape::new(tags.len() as u64, inverse)?;
    let (count, code) = py.detach(|| golomb::encode(shape, &tags));
    Ok((count, PyBytes::new(py, &code)))
}

#[pyfunction]
pub(super) fn filters_golomb_index<'py>(
    py: Python<'py>,
    code: &[u8],
    items: u64,
    inverse: u64,
    count: usize,
) -> PyResult<Bound<'py, PyArray2<u64>>> {
    let shape = golomb::Shape::new(items, inverse)?;
    let places = py.detach(|| golomb::index(shape, count, code))?;
    let rows = places.len();
    PyArray1::from_vec(py, places.into_flattened()).reshape([rows, 2])
}

#[pyfunction]
pub(super) fn filters_golomb_contains<'py>(
    py: Python<'py>,
    code: &[u8],
    index: PyReadonlyArray2<'py, u64>,
    items: u64,
    inverse: u64,
    tags: Input<'py>,
) -> PyResult<Answers<'py>> {
    if index.shape()[1] != 2 {
        return Err(parameter("an index has two columns"));
    }
    let words = index.as_slice().map_err(|_| parameter("the index is not contiguous"))?;
    let places: &[Place] = words.as_chunks().0;
    let (tags, shape) = (blocks(&tags)?, golomb::Shape::new(items, inverse)?);
    Ok(PyArray1::from_vec(py, py.detach(|| golomb::contains(shape, code, places, &tags))?))
}

#[pyfunction]
pub(super) fn filters_sorted_build<'py>(
    py: Python<'py>,
    tags: Input<'py>,
    width: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let tags = blocks(&tags)?;
    Ok(PyBytes::new(py, &py.detach(|| sorted::build(&tags, width))?))
}

#[pyfunction]
pub(super) fn filters_sorted_ascends(py: Python<'_>, rows: &[u8], width: usize) -> PyResult<bool> {
    Ok(py.detach(|| sorted::ascends(rows, width))?)
}

#[pyfunction]
pub(super) fn filters_sorted_contains<'py>(
    py: Python<'py>,
    rows: &[u8],
    width: usize,
    tags: Input<'py>,
) -> PyResult<Answers<'py>> {
    let tags = blocks(&tags)?;
    Ok(PyArray1::from_vec(py, py.detach(|| sorted::contains(rows, width, &tags))?))
}
