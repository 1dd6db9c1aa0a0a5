//! The Python face of the silent VOLE.

use super::{bytes, fixed, parameter, rows_out, Input, Rows};
use crate::vole;
use numpy::PyUntypedArrayMethods;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use zeroize::Zeroizing;

const WIDTH: usize = 16;

/// The state of a VOLE receiver: opaque, wiped when dropped.
#[pyclass(module = "crypto._native")]
pub struct VoleReceiver(Option<vole::Receiver>);

/// The state of a VOLE sender: opaque, wiped when dropped.
#[pyclass(module = "crypto._native")]
pub struct VoleSender(Option<vole::Sender>);

#[pymethods]
impl VoleReceiver {
    fn choices(&self) -> PyResult<Vec<u8>> {
        Ok(self.0.as_ref().ok_or_else(ended)?.choices().to_vec())
    }

    fn elements<'py>(&self, py: Python<'py>) -> PyResult<Rows<'py>> {
        blocks_out(py, self.0.as_ref().ok_or_else(ended)?.elements())
    }

    fn puncture(
        &mut self,
        py: Python<'_>,
        strings: Input<'_>,
        shares: Input<'_>,
        trees: &[u8],
    ) -> PyResult<Vec<u8>> {
        let (strings, shares) = (blocks(&strings)?, blocks(&shares)?);
        let state = self.0.as_mut().ok_or_else(ended)?;
        Ok(py.detach(|| state.puncture(&strings, &shares, trees))?)
    }

    /// Check the answer, then compress.
    fn finish<'py>(&mut self, py: Python<'py>, answer: &[u8]) -> PyResult<(Rows<'py>, Rows<'py>)> {
        let mut state = self.0.take().ok_or_else(ended)?;
        let (a, c) = py.detach(|| state.verify(answer).and_then(|()| state.finish()))?;
        Ok((blocks_out(py, &a)?, blocks_out(py, &c)?))
    }

    fn __repr__(&self) -> &'static str {
        "<VoleReceiver>"
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("cannot pickle or copy a secret"))
    }
}

#[pymethods]
impl VoleSender {
    /// Answer the challenge, then compress.
    fn finish<'py>(&mut self, py: Python<'py>, challenge: &[u8]) -> PyResult<(Vec<u8>, Rows<'py>)> {
        let challenge = fixed(challenge)?;
        let state = self.0.take().ok_or_else(ended)?;
        let (answer, b) = py.detach(|| (state.answer(challenge), state.finish()));
        Ok((answer.to_vec(), blocks_out(py, &b)?))
    }

    fn __repr__(&self) -> &'static str {
        "<VoleSender>"
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("cannot pickle or copy a secret"))
    }
}

/// Transfers, products and bytes of the trees.
#[pyfunction]
pub fn vole_sizes(count: usize) -> PyResult<(usize, usize, usize)> {
    let params = vole::Params::new(count)?;
    Ok((params.transfers(), params.products(), params.trees_bytes()))
}

#[pyfunction]
pub fn vole_receiver(count: usize, context: &[u8], draw: &[u8]) -> PyResult<VoleReceiver> {
    Ok(VoleReceiver(Some(vole::Receiver::new(count, context, fixed(draw)?)?)))
}

#[pyfunction]
#[pyo3(signature = (count, context, draw, *, delta, zeros, ones, shares))]
#[allow(clippy::too_many_arguments)] // the face of one Python function
pub fn vole_sender<'py>(
    py: Python<'py>,
    count: usize,
    context: &[u8],
    draw: &[u8],
    delta: &[u8],
    zeros: Input<'py>,
    ones: Input<'py>,
    shares: Input<'py>,
) -> PyResult<(VoleSender, Vec<u8>)> {
    let (draw, delta) = (fixed(draw)?, u128::from_le_bytes(*fixed(delta)?));
    let (zeros, ones, shares) = (blocks(&zeros)?, blocks(&ones)?, blocks(&shares)?);
    let (state, trees) =
        py.detach(|| vole::Sender::expand(count, context, draw, delta, [&zeros, &ones], &shares))?;
    Ok((VoleSender(Some(state)), trees))
}

fn ended() -> PyErr {
    parameter("this state was used up")
}

/// Rows of 16 bytes as numbers, little endian.
fn blocks(array: &Input<'_>) -> PyResult<Zeroizing<Vec<u128>>> {
    if array.shape()[1] != WIDTH {
        return Err(parameter("a field element has 16 bytes"));
    }
    let rows = bytes(array)?.chunks_exact(WIDTH);
    let numbers = rows.map(|row| row.iter().rev().fold(0, |number, byte| number << 8 | u128::from(*byte)));
    Ok(Zeroizing::new(numbers.collect()))
}

fn blocks_out<'py>(py: Python<'py>, blocks: &[u128]) -> PyResult<Rows<'py>> {
    rows_out(py, bytemuck::cast_slice(blocks).to_vec(), WIDTH)
}
