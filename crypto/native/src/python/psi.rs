//! `crypto/psi/vole.py` calls these.
#![forbid(unsafe_code)]

use super::blocks::{borrow, filled, BLOCK_BYTES};
use super::{bytes, fixed, parameter, Input, Rows};
use crate::errors::{Error, Result};
use crate::psi;
use numpy::PyUntypedArrayMethods;
use pyo3::prelude::*;
use std::borrow::Cow;

fn blocks<'a>(array: &'a Input<'_>) -> PyResult<Cow<'a, [u128]>> {
    if array.shape()[1] != BLOCK_BYTES {
        return Err(parameter("blocks have 16 bytes"));
    }
    borrow(bytes(array)?)
}

fn same(lengths: &[usize]) -> Result<()> {
    if lengths.windows(2).any(|pair| pair[0] != pair[1]) {
        return Err(Error::Parameter("arrays of different lengths".into()));
    }
    Ok(())
}

/// `base + delta * factors` in GF(2^128), row by row.
#[pyfunction]
pub(super) fn psi_add_scaled<'py>(
    py: Python<'py>,
    base: Input<'py>,
    delta: &[u8],
    factors: Input<'py>,
) -> PyResult<Rows<'py>> {
    let (base, factors, delta) = (blocks(&base)?, blocks(&factors)?, u128::from_le_bytes(*fixed(delta)?));
    same(&[base.len(), factors.len()])?;
    filled(py, base.len(), |out| {
        psi::add_scaled(&base, delta, &factors, out);
        Ok(())
    })
}

/// The compared and the private half of each output, in two arrays.
#[pyfunction]
pub(super) fn psi_outputs<'py>(
    py: Python<'py>,
    decoded: Input<'py>,
    digests: Input<'py>,
    coin: &[u8],
) -> PyResult<(Rows<'py>, Rows<'py>)> {
    let (decoded, digests, coin) = (blocks(&decoded)?, blocks(&digests)?, u128::from_le_bytes(*fixed(coin)?));
    same(&[decoded.len(), digests.len()])?;
    let mut private = None;
    let compared = filled(py, decoded.len(), |compared| {
        let mut hidden = vec![0; compared.len()];
        psi::outputs(&decoded, &digests, coin, compared, &mut hidden);
        private = Some(hidden);
        Ok(())
    })?;
    let hidden = private.unwrap_or_default();
    let private = filled(py, hidden.len(), |out| {
        out.copy_from_slice(&hidden);
        Ok(())
    })?;
    Ok((compared, private))
}
