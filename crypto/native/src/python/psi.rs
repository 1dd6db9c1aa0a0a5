//! `crypto/psi/vole.py` calls these.
#![forbid(unsafe_code)]

use super::blocks::{blocks, filled};
use super::okvs::OkvsKeys;
use super::tagset::packed;
use super::vole::{VoleReceived, VoleSent};
use super::{bytes, fixed, Indices, Input, Rows};
use crate::psi::{self, Decoded, Half};
use crate::tagset::{self, Packed};
use numpy::PyArray1;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// What the slots of each key sum to.
#[pyclass(frozen, module = "crypto._native")]
pub(super) struct PsiDecoded(Decoded);

#[pymethods]
impl PsiDecoded {
    fn __repr__(&self) -> &'static str {
        "<PsiDecoded>"
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("cannot pickle or copy a secret"))
    }
}

/// The receiver's message: a store of its keys behind `a`.
#[pyfunction]
pub(super) fn psi_store<'py>(
    py: Python<'py>,
    keys: &OkvsKeys,
    received: &VoleReceived,
    seed: &[u8],
) -> PyResult<Rows<'py>> {
    let seed = u128::from_le_bytes(*fixed(seed)?);
    filled(py, keys.0.layout().slots(), |out| psi::store(&keys.0, &received.0, seed, out))
}

#[pyfunction]
pub(super) fn psi_decode_receiver(
    py: Python<'_>,
    received: &VoleReceived,
    keys: &OkvsKeys,
) -> PyResult<PsiDecoded> {
    Ok(PsiDecoded(py.detach(|| Decoded::of_receiver(&received.0, &keys.0))?))
}

#[pyfunction]
pub(super) fn psi_decode_sender(
    py: Python<'_>,
    sent: &VoleSent,
    store: Input<'_>,
    keys: &OkvsKeys,
) -> PyResult<PsiDecoded> {
    let store = blocks(&store)?;
    Ok(PsiDecoded(py.detach(|| Decoded::of_sender(&sent.0, &store, &keys.0))?))
}

/// The sender's tags, packed.
#[pyfunction]
pub(super) fn psi_tags<'py>(
    py: Python<'py>,
    decoded: &PsiDecoded,
    keys: &OkvsKeys,
    coin: &[u8],
) -> PyResult<Bound<'py, PyArray1<u8>>> {
    let coin = u128::from_le_bytes(*fixed(coin)?);
    let tags = py.detach(|| decoded.0.compared(&keys.0, coin))?;
    packed(py, tags.len(), |packed| tagset::pack(&tags, packed))
}

/// Which keys have an output among the sender's tags, ascending.
#[pyfunction]
pub(super) fn psi_matches<'py>(
    py: Python<'py>,
    decoded: &PsiDecoded,
    keys: &OkvsKeys,
    coin: &[u8],
    n: usize,
    packed: Input<'py>,
) -> PyResult<Indices<'py>> {
    let (coin, packed) = (u128::from_le_bytes(*fixed(coin)?), bytes(&packed)?);
    let found = py.detach(|| {
        let compared = decoded.0.compared(&keys.0, coin)?;
        Packed::new(n, packed)?.positions(&compared)
    })?;
    Ok(PyArray1::from_vec(py, found))
}

/// The private halves of all outputs.
#[pyfunction]
pub(super) fn psi_private<'py>(
    py: Python<'py>,
    decoded: &PsiDecoded,
    keys: &OkvsKeys,
    coin: &[u8],
) -> PyResult<Rows<'py>> {
    let coin = u128::from_le_bytes(*fixed(coin)?);
    filled(py, keys.0.len(), |out| decoded.0.outputs(&keys.0, coin, Half::Private, out))
}
