//! `crypto/elgamal.py` calls these.
#![forbid(unsafe_code)]

use super::{backend, bytes, fixed, parameter, rows_out, Input, Rows};
use crate::elgamal::{self, Blind, PrivateKey, CIPHERTEXT_BYTES};
use crate::group::ELEMENT_BYTES;
use numpy::{PyReadonlyArray1, PyUntypedArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// The key that decrypts: opaque, wiped when dropped.
#[pyclass(frozen, module = "crypto._native")]
pub(super) struct ElgamalKey(PrivateKey);

/// What hides a sum: opaque, wiped when dropped.
#[pyclass(frozen, module = "crypto._native")]
pub(super) struct ElgamalBlind(Blind);

#[pymethods]
impl ElgamalKey {
    #[getter]
    fn public_key(&self) -> [u8; ELEMENT_BYTES] {
        self.0.public_key()
    }

    fn __repr__(&self) -> &'static str {
        "<ElgamalKey>"
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("cannot pickle or copy a secret"))
    }
}

#[pymethods]
impl ElgamalBlind {
    fn __repr__(&self) -> &'static str {
        "<ElgamalBlind>"
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("cannot pickle or copy a secret"))
    }
}

#[pyfunction]
pub(super) fn elgamal_key(draw: Option<&[u8]>) -> PyResult<ElgamalKey> {
    Ok(ElgamalKey(PrivateKey::generate(draw)?))
}

#[pyfunction]
pub(super) fn elgamal_encrypt<'py>(
    py: Python<'py>,
    key: &ElgamalKey,
    values: PyReadonlyArray1<'py, u64>,
    draws: Option<&[u8]>,
) -> PyResult<Rows<'py>> {
    let values = values.as_slice().map_err(|_| parameter("an array of numbers is not contiguous"))?;
    let ciphertexts = py.detach(|| elgamal::encrypt(backend(), &key.0, values, draws))?;
    rows_out(py, ciphertexts, CIPHERTEXT_BYTES)
}

#[pyfunction]
pub(super) fn elgamal_sum(
    py: Python<'_>,
    public_key: &[u8],
    ciphertexts: Input<'_>,
    chosen: PyReadonlyArray1<'_, u8>,
    draws: Option<&[u8]>,
) -> PyResult<(ElgamalBlind, [u8; CIPHERTEXT_BYTES])> {
    if ciphertexts.shape() != [chosen.len(), CIPHERTEXT_BYTES] {
        return Err(parameter("a sum takes rows of 64 bytes, and whether each is chosen"));
    }
    let rows = bytes(&ciphertexts)?;
    let flags = chosen.as_slice().map_err(|_| parameter("an array of choices is not contiguous"))?;
    let flags: Vec<bool> = flags.iter().map(|flag| flag & 1 == 1).collect(); // whatever bytes Python has there
    let (blind, sum) = py.detach(|| elgamal::sum(backend(), public_key, rows, &flags, draws))?;
    Ok((ElgamalBlind(blind), sum))
}

#[pyfunction]
pub(super) fn elgamal_decrypt(key: &ElgamalKey, ciphertext: &[u8]) -> PyResult<[u8; ELEMENT_BYTES]> {
    Ok(elgamal::decrypt(&key.0, fixed(ciphertext)?)?)
}

/// The number, or nothing where it is above the limit.
#[pyfunction]
pub(super) fn elgamal_open(
    py: Python<'_>,
    blind: &ElgamalBlind,
    element: &[u8],
    limit: u64,
) -> PyResult<Option<u64>> {
    let element = fixed(element)?;
    Ok(py.detach(|| elgamal::open(&blind.0, element, limit))?)
}
