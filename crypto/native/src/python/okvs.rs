//! `crypto/okvs.py` calls these.
#![forbid(unsafe_code)]

use super::blocks::{blocks, borrow, filled};
use super::{bytes, fixed, parameter, Input, Rows};
use crate::okvs::{self, Layout, Values};
use numpy::{PyArray1, PyUntypedArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// Bytes of an item.
const ITEM_BYTES: usize = 32;

/// Hashed items, sorted for one layout.
#[pyclass(frozen, module = "crypto._native")]
pub(super) struct OkvsKeys(pub(super) okvs::Keys);

#[pymethods]
impl OkvsKeys {
    #[getter]
    fn slots(&self) -> usize {
        self.0.layout().slots()
    }

    #[getter]
    fn order<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u32>> {
        PyArray1::from_slice(py, self.0.order())
    }

    #[getter]
    fn repeated(&self) -> bool {
        self.0.repeated()
    }

    fn digests<'py>(&self, py: Python<'py>) -> PyResult<Rows<'py>> {
        filled(py, self.0.len(), |out| {
            out.copy_from_slice(self.0.digests());
            Ok(())
        })
    }

    fn values<'py>(&self, py: Python<'py>) -> PyResult<Rows<'py>> {
        filled(py, self.0.len(), |out| {
            self.0.values(out);
            Ok(())
        })
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __repr__(&self) -> &'static str {
        "<OkvsKeys>"
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("cannot pickle or copy a secret"))
    }
}

#[pyfunction]
pub(super) fn okvs_slots(n: usize) -> PyResult<usize> {
    Ok(Layout::of(n)?.slots())
}

#[pyfunction]
pub(super) fn okvs_hash(
    py: Python<'_>,
    items: Input<'_>,
    capacity: usize,
    salt: &[u8],
) -> PyResult<OkvsKeys> {
    if items.shape()[1] != ITEM_BYTES {
        return Err(parameter("items of a store have 32 bytes"));
    }
    let (rows, layout) = (borrow::<[u128; 2]>(bytes(&items)?)?, Layout::of(capacity)?);
    let salt = u128::from_le_bytes(*fixed(salt)?);
    Ok(OkvsKeys(py.detach(|| okvs::hash(&rows, salt, layout))?))
}

#[pyfunction]
pub(super) fn okvs_encode<'py>(
    py: Python<'py>,
    keys: &OkvsKeys,
    values: Option<Input<'py>>,
    seed: &[u8],
) -> PyResult<Rows<'py>> {
    let seed = u128::from_le_bytes(*fixed(seed)?);
    let given = values.as_ref().map(blocks).transpose()?;
    let values = given.as_deref().map_or(Values::Hashed, Values::Given);
    filled(py, keys.slots(), |table| okvs::encode(&keys.0, values, seed, table))
}

#[pyfunction]
pub(super) fn okvs_decode<'py>(py: Python<'py>, table: Input<'py>, keys: &OkvsKeys) -> PyResult<Rows<'py>> {
    let slots = blocks(&table)?;
    filled(py, keys.0.len(), |out| okvs::decode(&slots, &keys.0, out))
}

#[pyfunction]
pub(super) fn okvs_decode_sorted<'py>(
    py: Python<'py>,
    table: Input<'py>,
    keys: &OkvsKeys,
) -> PyResult<Rows<'py>> {
    let slots = blocks(&table)?;
    filled(py, keys.0.len(), |out| okvs::decode_sorted(&slots, &keys.0, out))
}
