//! The only file that knows Python: arrays in, arrays out, errors by blame.
//!
//! Arrays are borrowed, not copied: a `PyReadonlyArray` keeps the buffer alive and locked against writers
//! that go through rust-numpy while the interpreter is released. Each result is one allocation handed to
//! NumPy.
#![forbid(unsafe_code)]

use crate::batch::Backend;
use crate::errors::Error;
use crate::group::{ELEMENT_BYTES, WIDE_BYTES};
use crate::oprf::{Mode, Reply, OUTPUT_BYTES};
use crate::rows::Items;
use crate::{group, machine, oprf, scalars};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::exceptions::{PyImportError, PyTypeError};
use pyo3::prelude::*;
use std::collections::BTreeMap;
use std::sync::OnceLock;

mod blocks;
mod commitment;
mod curve25519;
mod elgamal;
mod filters;
mod hashing;
mod okvs;
mod ot;
mod psi;
mod ring;
mod rows;
mod shamir;
mod tagset;
mod vole;

mod blame {
    pyo3::import_exception!(crypto.errors, CryptoError);
    pyo3::import_exception!(crypto.errors, DecodeError);
    pyo3::import_exception!(crypto.errors, EncodingFailed);
    pyo3::import_exception!(crypto.errors, ParameterError);
    pyo3::import_exception!(crypto.errors, VerificationError);
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        match error {
            Error::Parameter(text) => blame::ParameterError::new_err(text),
            Error::Decode(text) => blame::DecodeError::new_err(text),
            Error::Verification(text) => blame::VerificationError::new_err(text),
            Error::Encoding(text) => blame::EncodingFailed::new_err(text),
            Error::Randomness(text) => blame::CryptoError::new_err(text),
        }
    }
}

type Input<'py> = PyReadonlyArray2<'py, u8>;
type Rows<'py> = Bound<'py, PyArray2<u8>>;
type Indices<'py> = Bound<'py, PyArray1<i64>>;

/// A server's key: opaque, wiped when dropped.
#[pyclass(frozen, module = "crypto._native")]
struct PrivateKey(oprf::PrivateKey);

#[pymethods]
impl PrivateKey {
    #[getter]
    fn mode(&self) -> u8 {
        self.0.mode().number()
    }

    #[getter]
    fn public_key(&self) -> [u8; ELEMENT_BYTES] {
        self.0.public_key()
    }

    fn __repr__(&self) -> &'static str {
        "<PrivateKey>"
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("cannot pickle or copy a secret"))
    }
}

/// A client's blinding scalars: opaque, wiped when dropped.
#[pyclass(frozen, module = "crypto._native")]
struct Blinds(oprf::Blinds);

#[pymethods]
impl Blinds {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __repr__(&self) -> &'static str {
        "<Blinds>"
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("cannot pickle or copy a secret"))
    }
}

fn backend() -> Backend {
    static BACKEND: OnceLock<Backend> = OnceLock::new();
    *BACKEND.get_or_init(Backend::detect)
}

fn parameter(text: &str) -> PyErr {
    blame::ParameterError::new_err(text.to_owned())
}

fn bytes<'a>(array: &'a Input<'_>) -> PyResult<&'a [u8]> {
    array.as_slice().map_err(|_| parameter("an array of rows is not C-contiguous"))
}

fn items<'a>(array: &'a Input<'_>) -> PyResult<Items<'a>> {
    Ok(Items::Rows { bytes: bytes(array)?, width: width(array)? })
}

fn width(array: &Input<'_>) -> PyResult<usize> {
    match array.shape()[1] {
        0 => Err(parameter("rows have at least one byte")),
        width => Ok(width),
    }
}

fn rows_out(py: Python<'_>, data: Vec<u8>, width: usize) -> PyResult<Rows<'_>> {
    let n = data.len() / width;
    PyArray1::from_vec(py, data).reshape([n, width])
}

fn mode(number: u8) -> PyResult<Mode> {
    match number {
        0 => Ok(Mode::Oprf),
        1 => Ok(Mode::Voprf),
        _ => Err(parameter("the mode is OPRF or VOPRF")),
    }
}

fn fixed<const N: usize>(value: &[u8]) -> PyResult<&[u8; N]> {
    value.try_into().map_err(|_| parameter(&format!("expected {N} bytes, not {}", value.len())))
}

/// Rows of elements, as many as blinds.
fn elements<'a>(array: &'a Input<'_>, count: usize) -> PyResult<&'a [u8]> {
    if array.shape() != [count, ELEMENT_BYTES] {
        return Err(parameter(&format!("expected an array of {count} rows of {ELEMENT_BYTES} bytes")));
    }
    bytes(array)
}

#[pyfunction]
fn group_hash_to_group<'py>(py: Python<'py>, rows: Input<'py>, dst: &[u8]) -> PyResult<Rows<'py>> {
    let items = items(&rows)?;
    let encoded = py.detach(|| group::hash_to_group(backend(), &items, dst))?;
    rows_out(py, encoded, ELEMENT_BYTES)
}

/// The arithmetic in use: `"avx2"` or `"portable"`.
#[pyfunction]
fn group_backend() -> &'static str {
    backend().name()
}

/// The same of every part of the kernel that chooses.
#[pyfunction]
fn kernel_backends() -> BTreeMap<&'static str, &'static str> {
    machine::backends().into()
}

#[pyfunction]
fn group_validate(py: Python<'_>, rows: Input<'_>) -> PyResult<()> {
    let view = elements(&rows, rows.shape()[0])?;
    Ok(py.detach(|| group::validate(backend(), view))?)
}

#[pyfunction]
fn oprf_usable(py: Python<'_>, draws: &[u8]) -> PyResult<bool> {
    if !draws.len().is_multiple_of(WIDE_BYTES) {
        return Err(parameter(&format!("scalars take {WIDE_BYTES} random bytes each")));
    }
    Ok(py.detach(|| scalars::usable(draws)))
}

#[pyfunction]
fn oprf_private_key(draw: Option<&[u8]>, mode: u8) -> PyResult<PrivateKey> {
    Ok(PrivateKey(oprf::PrivateKey::generate(draw, self::mode(mode)?)?))
}

#[pyfunction]
fn oprf_derive_key(seed: &[u8], info: &[u8], mode: u8) -> PyResult<PrivateKey> {
    Ok(PrivateKey(oprf::PrivateKey::derive(seed, info, self::mode(mode)?)?))
}

#[pyfunction]
fn oprf_blind<'py>(
    py: Python<'py>,
    rows: Input<'py>,
    draws: Option<&[u8]>,
    mode: u8,
) -> PyResult<(Blinds, Rows<'py>)> {
    let (items, mode) = (items(&rows)?, self::mode(mode)?);
    let (blinds, blinded) = py.detach(|| oprf::blind(backend(), &items, draws, mode))?;
    Ok((Blinds(blinds), rows_out(py, blinded, ELEMENT_BYTES)?))
}

#[pyfunction]
fn oprf_bulk_blind<'py>(
    py: Python<'py>,
    rows: Input<'py>,
    draws: Option<&[u8]>,
) -> PyResult<(Blinds, Rows<'py>)> {
    let items = items(&rows)?;
    let (blinds, blinded) = py.detach(|| oprf::bulk_blind(backend(), &items, draws))?;
    Ok((Blinds(blinds), rows_out(py, blinded, ELEMENT_BYTES)?))
}

#[pyfunction]
fn oprf_blind_evaluate<'py>(
    py: Python<'py>,
    key: &PrivateKey,
    blinded: Input<'py>,
    draw: Option<&[u8]>,
) -> PyResult<(Rows<'py>, Vec<u8>)> {
    let rows = elements(&blinded, blinded.shape()[0])?;
    let (evaluated, proof) = py.detach(|| oprf::blind_evaluate(backend(), &key.0, rows, draw))?;
    Ok((rows_out(py, evaluated, ELEMENT_BYTES)?, proof))
}

#[pyfunction]
fn oprf_bulk_blind_evaluate<'py>(
    py: Python<'py>,
    key: &PrivateKey,
    blinded: Input<'py>,
    draw: Option<&[u8]>,
    label: &str,
) -> PyResult<(Rows<'py>, Vec<u8>)> {
    let rows = elements(&blinded, blinded.shape()[0])?;
    let (evaluated, proof) = py.detach(|| oprf::bulk_blind_evaluate(backend(), &key.0, rows, draw, label))?;
    Ok((rows_out(py, evaluated, ELEMENT_BYTES)?, proof))
}

#[pyfunction]
fn oprf_finalize<'py>(
    py: Python<'py>,
    rows: Input<'py>,
    blinds: &Blinds,
    evaluated: Input<'py>,
) -> PyResult<Rows<'py>> {
    let items = items(&rows)?;
    let evaluated = elements(&evaluated, counted(&items, blinds)?)?;
    let outputs = py.detach(|| oprf::finalize(backend(), &items, &blinds.0, evaluated, None, Mode::Oprf))?;
    rows_out(py, outputs, OUTPUT_BYTES)
}

#[pyfunction]
#[pyo3(signature = (rows, blinds, evaluated, *, blinded, proof, public_key))]
fn oprf_verify_finalize<'py>(
    py: Python<'py>,
    rows: Input<'py>,
    blinds: &Blinds,
    evaluated: Input<'py>,
    blinded: Input<'py>,
    proof: &[u8],
    public_key: &[u8],
) -> PyResult<Rows<'py>> {
    let items = items(&rows)?;
    let reply = reply(counted(&items, blinds)?, &blinded, &evaluated, public_key, proof)?;
    let outputs = py.detach(|| {
        oprf::finalize(backend(), &items, &blinds.0, reply.evaluated, Some(&reply), Mode::Voprf)
    })?;
    rows_out(py, outputs, OUTPUT_BYTES)
}

#[pyfunction]
#[pyo3(signature = (rows, blinds, evaluated, *, blinded, proof, public_key, label))]
#[allow(clippy::too_many_arguments)] // the face of one Python function
fn oprf_bulk_finalize<'py>(
    py: Python<'py>,
    rows: Input<'py>,
    blinds: &Blinds,
    evaluated: Input<'py>,
    blinded: Input<'py>,
    proof: &[u8],
    public_key: &[u8],
    label: &str,
) -> PyResult<Rows<'py>> {
    let items = items(&rows)?;
    let reply = reply(counted(&items, blinds)?, &blinded, &evaluated, public_key, proof)?;
    let outputs = py.detach(|| oprf::bulk_finalize(backend(), &items, &blinds.0, &reply, label))?;
    rows_out(py, outputs, OUTPUT_BYTES)
}

fn counted(items: &Items<'_>, blinds: &Blinds) -> PyResult<usize> {
    if items.len() != blinds.0.len() {
        return Err(parameter("the blinds belong to another number of items"));
    }
    Ok(items.len())
}

fn reply<'a>(
    count: usize,
    blinded: &'a Input<'_>,
    evaluated: &'a Input<'_>,
    public_key: &'a [u8],
    proof: &'a [u8],
) -> PyResult<Reply<'a>> {
    let (blinded, evaluated) = (elements(blinded, count)?, elements(evaluated, count)?);
    Ok(Reply { blinded, evaluated, public_key: fixed::<ELEMENT_BYTES>(public_key)?, proof: fixed(proof)? })
}

#[pyfunction]
fn oprf_evaluate<'py>(py: Python<'py>, key: &PrivateKey, rows: Input<'py>) -> PyResult<Rows<'py>> {
    let items = items(&rows)?;
    let outputs = py.detach(|| oprf::evaluate(backend(), &key.0, &items))?;
    rows_out(py, outputs, OUTPUT_BYTES)
}

/// The native half of `crypto`.
#[pymodule]
mod _native {
    use super::{machine, Bound, PyImportError, PyModule, PyResult};

    /// A misspelt wish for less is no wish for all.
    #[pymodule_init]
    fn init(_module: &Bound<'_, PyModule>) -> PyResult<()> {
        machine::check().map_err(|error| PyImportError::new_err(error.to_string()))
    }

    #[pymodule_export]
    use super::commitment::{commitment_open, commitment_root, commitment_verify};
    #[pymodule_export]
    use super::curve25519::{
        curve25519_encode, curve25519_map_to_curve, curve25519_multiply, curve25519_scalar,
        curve25519_validate, Curve25519Scalar,
    };
    #[pymodule_export]
    use super::elgamal::{
        elgamal_decrypt, elgamal_encrypt, elgamal_key, elgamal_open, elgamal_sum, ElgamalBlind, ElgamalKey,
    };
    #[pymodule_export]
    use super::filters::{
        filters_bloom_contains, filters_bloom_insert, filters_bloom_rate, filters_golomb_contains,
        filters_golomb_encode, filters_golomb_index, filters_sorted_ascends, filters_sorted_build,
        filters_sorted_contains,
    };
    #[pymodule_export]
    use super::hashing::{hashing_derive_key, hashing_keyed_rows, hashing_keyed_values};
    #[pymodule_export]
    use super::okvs::{okvs_decode, okvs_decode_sorted, okvs_encode, okvs_hash, okvs_slots, OkvsKeys};
    #[pymodule_export]
    use super::ot::{
        ot_base_finish, ot_base_receive, ot_base_send, ot_extend_receive, ot_extend_send, OtChosen, OtPairs,
        OtReceived, OtReceiver, OtSent,
    };
    #[pymodule_export]
    use super::psi::{
        psi_decode_receiver, psi_decode_sender, psi_matches, psi_private, psi_store, psi_tags, PsiDecoded,
    };
    #[pymodule_export]
    use super::ring::{ring_add_masks, ring_digests, ring_exceeds};
    #[pymodule_export]
    use super::rows::{rows_join, rows_sort, rows_unique};
    #[pymodule_export]
    use super::shamir::{shamir_reconstruct, shamir_split};
    #[pymodule_export]
    use super::tagset::{tagset_pack, tagset_packed_bytes, tagset_positions};
    #[pymodule_export]
    use super::vole::{
        vole_receiver, vole_sender, vole_sizes, VoleReceived, VoleReceiver, VoleSender, VoleSent,
    };
    #[pymodule_export]
    use super::{
        group_backend, group_hash_to_group, group_validate, kernel_backends, oprf_blind, oprf_blind_evaluate,
        oprf_bulk_blind, oprf_bulk_blind_evaluate, oprf_bulk_finalize, oprf_derive_key, oprf_evaluate,
        oprf_finalize, oprf_private_key, oprf_usable, oprf_verify_finalize, Blinds, PrivateKey,
    };
}
