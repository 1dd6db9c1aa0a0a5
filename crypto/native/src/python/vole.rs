//! The Python face of the silent VOLE.

use super::blocks::{blocks, filled};
use super::{fixed, parameter, Input, Rows};
use crate::vole;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

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
    fn finish(&mut self, py: Python<'_>, answer: &[u8]) -> PyResult<VoleReceived> {
        let mut state = self.0.take().ok_or_else(ended)?;
        Ok(VoleReceived(py.detach(|| state.verify(answer).and_then(|()| state.finish()))?))
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
    /// Answer the challenge.
    fn answer(&self, py: Python<'_>, challenge: &[u8]) -> PyResult<Vec<u8>> {
        let challenge = fixed(challenge)?;
        let state = self.0.as_ref().ok_or_else(ended)?;
        Ok(py.detach(|| state.answer(challenge)).to_vec())
    }

    /// Compress.
    fn finish(&mut self, py: Python<'_>) -> PyResult<VoleSent> {
        let state = self.0.take().ok_or_else(ended)?;
        Ok(VoleSent(py.detach(|| state.finish())))
    }

    fn __repr__(&self) -> &'static str {
        "<VoleSender>"
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("cannot pickle or copy a secret"))
    }
}

/// The receiver's half of a correlation: opaque.
#[pyclass(frozen, module = "crypto._native")]
pub struct VoleReceived(pub(super) vole::Received);

/// The sender's half of a correlation: opaque.
#[pyclass(frozen, module = "crypto._native")]
pub struct VoleSent(pub(super) vole::Sent);

#[pymethods]
impl VoleReceived {
    #[new]
    fn new(a: Input<'_>, c: Input<'_>) -> PyResult<Self> {
        let (a, c) = (blocks(&a)?, blocks(&c)?);
        if a.len() != c.len() {
            return Err(parameter("a and c have the same length"));
        }
        Ok(Self(vole::Received::of(&a, &c)))
    }

    #[getter]
    fn a<'py>(&self, py: Python<'py>) -> PyResult<Rows<'py>> {
        blocks_out(py, self.0.a())
    }

    #[getter]
    fn c<'py>(&self, py: Python<'py>) -> PyResult<Rows<'py>> {
        blocks_out(py, self.0.c())
    }

    fn __repr__(&self) -> &'static str {
        "<VoleReceived>"
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("cannot pickle or copy a secret"))
    }
}

#[pymethods]
impl VoleSent {
    #[new]
    fn new(delta: &[u8], b: Input<'_>) -> PyResult<Self> {
        Ok(Self(vole::Sent::of(u128::from_le_bytes(*fixed(delta)?), &blocks(&b)?)))
    }

    #[getter]
    fn delta<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.delta().to_le_bytes())
    }

    #[getter]
    fn b<'py>(&self, py: Python<'py>) -> PyResult<Rows<'py>> {
        blocks_out(py, self.0.b())
    }

    fn __repr__(&self) -> &'static str {
        "<VoleSent>"
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

fn blocks_out<'py>(py: Python<'py>, blocks: &[u128]) -> PyResult<Rows<'py>> {
    filled(py, blocks.len(), |out| {
        out.copy_from_slice(blocks);
        Ok(())
    })
}
