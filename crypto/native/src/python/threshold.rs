//! `crypto/secagg/threshold.py` calls these.
#![forbid(unsafe_code)]

use super::{bytes, fixed, parameter, rows_out, Indices, Input, Rows};
use crate::threshold::{self, Shape, ITEM_BYTES};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyUntypedArrayMethods};
use pyo3::prelude::*;

type Numbers<'py> = Bound<'py, PyArray1<u64>>;

#[pyfunction]
#[allow(clippy::too_many_arguments)] // the face of one Python function
pub(super) fn threshold_tables<'py>(
    py: Python<'py>,
    items: Input<'py>,
    key: &[u8],
    point: u64,
    t: usize,
    bins: usize,
    tables: usize,
    filler: &[u8],
) -> PyResult<(Numbers<'py>, Indices<'py>)> {
    let (items, filler) = (self::items(&items)?, fixed(filler)?);
    let shape = Shape { key: fixed(key)?, threshold: t, bins, tables };
    let made = py.detach(|| shape.build(items, point, filler))?;
    Ok((PyArray1::from_vec(py, made.cells), PyArray1::from_vec(py, made.slots)))
}

#[pyfunction]
pub(super) fn threshold_values<'py>(
    py: Python<'py>,
    items: Input<'py>,
    key: &[u8],
    places: PyReadonlyArray1<'py, u32>,
    points: PyReadonlyArray1<'py, u64>,
    t: usize,
) -> PyResult<Bound<'py, PyArray2<u64>>> {
    let (items, key) = (self::items(&items)?, fixed(key)?);
    let (places, points) = (list(&places)?, list(&points)?);
    let values = py.detach(|| threshold::values(key, items, places, points, t))?;
    PyArray1::from_vec(py, values).reshape([items.len(), points.len()])
}

#[pyfunction]
pub(super) fn threshold_find<'py>(
    py: Python<'py>,
    cells: Vec<PyReadonlyArray1<'py, u64>>,
    points: PyReadonlyArray1<'py, u64>,
    t: usize,
) -> PyResult<(Indices<'py>, Rows<'py>)> {
    let cells = cells.iter().map(list).collect::<PyResult<Vec<_>>>()?;
    let points = list(&points)?;
    let sets = py.detach(|| threshold::find(&cells, points, t))?;
    Ok((PyArray1::from_vec(py, sets.places), rows_out(py, sets.members, cells.len())?))
}

fn items<'a>(array: &'a Input<'_>) -> PyResult<&'a [[u8; ITEM_BYTES]]> {
    if array.shape()[1] != ITEM_BYTES {
        return Err(parameter("an item is a PRF output of 64 bytes"));
    }
    Ok(bytes(array)?.as_chunks().0)
}

fn list<'a, T: numpy::Element>(array: &'a PyReadonlyArray1<'_, T>) -> PyResult<&'a [T]> {
    array.as_slice().map_err(|_| parameter("an array of numbers is not contiguous"))
}
