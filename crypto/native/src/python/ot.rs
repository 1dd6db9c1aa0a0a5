//! `crypto/ot.py` calls these.
#![forbid(unsafe_code)]

use super::blocks::{blocks, BLOCK_BYTES};
use super::{backend, bytes, parameter, rows_out, Input, Rows};
use crate::ot::base::{self, Receiver, CIPHERTEXTS_BYTES, FUNCTION_BYTES};
use crate::ot::extension::{self, Received, Sent, Shape};
use crate::ot::{Chosen, Pairs, COUNT};
use numpy::{PyReadonlyArray1, PyUntypedArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// A receiver of base transfers between its two steps: opaque, wiped when dropped.
#[pyclass(frozen, module = "crypto._native")]
pub(super) struct OtReceiver(Receiver);

/// Both keys of each base transfer: opaque, wiped when dropped.
#[pyclass(frozen, module = "crypto._native")]
pub(super) struct OtPairs(pub(super) Pairs);

/// The choices and the chosen keys of the base transfers: opaque, wiped when dropped.
#[pyclass(frozen, module = "crypto._native")]
pub(super) struct OtChosen(pub(super) Chosen);

/// What an extension gives the holder of bits and elements: opaque, wiped when dropped.
#[pyclass(frozen, module = "crypto._native")]
pub(super) struct OtReceived(pub(super) Received);

/// What an extension gives the holder of Delta: opaque, wiped when dropped.
#[pyclass(frozen, module = "crypto._native")]
pub(super) struct OtSent(pub(super) Sent);

/// How a secret prints, and that it is not copied.
macro_rules! secret {
    ($name:ident { $($methods:tt)* }) => {
        #[pymethods]
        impl $name {
            $($methods)*

            fn __repr__(&self) -> &'static str {
                concat!("<", stringify!($name), ">")
            }

            fn __reduce__(&self) -> PyResult<()> {
                Err(PyTypeError::new_err("cannot pickle or copy a secret"))
            }
        }
    };
}

secret!(OtReceiver {});

secret!(OtPairs {
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Rows<'py>> {
        rows_out(py, to_bytes(self.0.keys().as_flattened()), 2 * BLOCK_BYTES)
    }
});

secret!(OtChosen {
    fn delta(&self) -> [u8; BLOCK_BYTES] {
        self.0.delta().to_le_bytes()
    }

    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Rows<'py>> {
        blocks_out(py, self.0.keys())
    }
});

secret!(OtReceived {
    fn rows<'py>(&self, py: Python<'py>) -> PyResult<Rows<'py>> {
        blocks_out(py, &self.0.t)
    }

    fn shares<'py>(&self, py: Python<'py>) -> PyResult<Rows<'py>> {
        blocks_out(py, &self.0.c)
    }

    fn strings<'py>(&self, py: Python<'py>) -> PyResult<Rows<'py>> {
        blocks_out(py, &self.0.strings())
    }
});

secret!(OtSent {
    fn rows<'py>(&self, py: Python<'py>) -> PyResult<Rows<'py>> {
        blocks_out(py, &self.0.q)
    }

    fn shares<'py>(&self, py: Python<'py>) -> PyResult<Rows<'py>> {
        blocks_out(py, &self.0.b)
    }

    fn strings<'py>(&self, py: Python<'py>) -> PyResult<(Rows<'py>, Rows<'py>)> {
        let [zeros, ones] = self.0.strings();
        Ok((blocks_out(py, &zeros)?, blocks_out(py, &ones)?))
    }
});

fn to_bytes(blocks: &[u128]) -> Vec<u8> {
    blocks.iter().flat_map(|block| block.to_le_bytes()).collect()
}

fn blocks_out<'py>(py: Python<'py>, blocks: &[u128]) -> PyResult<Rows<'py>> {
    rows_out(py, to_bytes(blocks), BLOCK_BYTES)
}

/// Rows of the peer, one for each base transfer.
fn table<'a>(array: &'a Input<'_>, width: usize) -> PyResult<&'a [u8]> {
    if array.shape() != [COUNT, width] {
        return Err(parameter(&format!("expected an array of {COUNT} rows of {width} bytes")));
    }
    bytes(array)
}

#[pyfunction]
pub(super) fn ot_base_receive<'py>(
    py: Python<'py>,
    label: &str,
    context: &[u8],
    draw: Option<&[u8]>,
) -> PyResult<(OtReceiver, Rows<'py>)> {
    let (state, message) = py.detach(|| Receiver::start(backend(), label, context, draw))?;
    Ok((OtReceiver(state), rows_out(py, message, FUNCTION_BYTES)?))
}

#[pyfunction]
pub(super) fn ot_base_send<'py>(
    py: Python<'py>,
    label: &str,
    context: &[u8],
    functions: Input<'py>,
    draw: Option<&[u8]>,
) -> PyResult<(OtPairs, [u8; 32], Rows<'py>)> {
    let message = table(&functions, FUNCTION_BYTES)?;
    let (pairs, reply) = py.detach(|| base::send(backend(), label, context, message, draw))?;
    Ok((OtPairs(pairs), reply.element, rows_out(py, reply.ciphertexts, CIPHERTEXTS_BYTES)?))
}

#[pyfunction]
pub(super) fn ot_base_finish(
    py: Python<'_>,
    receiver: &OtReceiver,
    label: &str,
    element: &[u8],
    ciphertexts: Input<'_>,
) -> PyResult<OtChosen> {
    let ciphertexts = table(&ciphertexts, CIPHERTEXTS_BYTES)?;
    Ok(OtChosen(py.detach(|| receiver.0.finish(backend(), label, element, ciphertexts))?))
}

#[pyfunction]
pub(super) fn ot_extend_receive<'py>(
    py: Python<'py>,
    pairs: &OtPairs,
    label: &str,
    context: &[u8],
    bits: PyReadonlyArray1<'py, u8>,
    elements: Input<'py>,
    draw: Option<&[u8]>,
) -> PyResult<(OtReceived, Rows<'py>, Vec<u8>)> {
    let bits = bits.as_slice().map_err(|_| parameter("the array of choices is not contiguous"))?;
    let elements = blocks(&elements)?;
    let (received, message) =
        py.detach(|| extension::receive(&pairs.0, label, context, bits, &elements, draw))?;
    let width = message.columns.len() / COUNT;
    Ok((OtReceived(received), rows_out(py, message.columns, width)?, message.check))
}

#[pyfunction]
#[allow(clippy::too_many_arguments)] // the face of one Python function
pub(super) fn ot_extend_send(
    py: Python<'_>,
    chosen: &OtChosen,
    label: &str,
    context: &[u8],
    bits: usize,
    elements: usize,
    columns: Input<'_>,
    check: &[u8],
) -> PyResult<OtSent> {
    let shape = Shape { bits, elements };
    let columns = table(&columns, shape.row_bytes())?;
    let sent = py.detach(|| extension::send(&chosen.0, label, context, shape, columns, check))?;
    Ok(OtSent(sent))
}
