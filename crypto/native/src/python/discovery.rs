//! `crypto/secagg/discovery.py` calls these.
#![forbid(unsafe_code)]

use super::blocks::{blocks, filled};
use super::{fixed, parameter, Input, Rows};
use crate::discovery::{self, Groups, Search};
use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

#[pyfunction]
pub(super) fn discovery_shares<'py>(
    py: Python<'py>,
    key: &[u8],
    secrets: Input<'py>,
    points: Input<'py>,
    threshold: usize,
) -> PyResult<Rows<'py>> {
    let (key, secrets, points) = (fixed(key)?, blocks(&secrets)?, blocks(&points)?);
    filled(py, points.len(), |out| discovery::shares(key, &secrets, &points, threshold, out))
}

#[pyfunction]
#[pyo3(signature = (points, shares, ends, tags, *, tag_key, threshold, limit, seed))]
#[allow(clippy::too_many_arguments)] // the face of one Python function
pub(super) fn discovery_recover<'py>(
    py: Python<'py>,
    points: Input<'py>,
    shares: Input<'py>,
    ends: PyReadonlyArray1<'py, u64>,
    tags: Input<'py>,
    tag_key: &[u8],
    threshold: usize,
    limit: usize,
    seed: &[u8],
) -> PyResult<(Rows<'py>, Bound<'py, PyArray1<bool>>)> {
    let (points, shares, tags) = (blocks(&points)?, blocks(&shares)?, blocks(&tags)?);
    let ends = ends.as_slice().map_err(|_| parameter("the ends of groups are contiguous"))?;
    let groups = Groups { points: &points, shares: &shares, ends, tags: &tags };
    let search = Search { tag_key: fixed(tag_key)?, threshold, limit, seed: fixed(seed)? };
    let found = py.detach(|| discovery::recover(&groups, &search))?;
    let secrets = filled(py, found.len(), |out| {
        out.iter_mut().zip(&found).for_each(|(out, secret)| *out = secret.unwrap_or(0));
        Ok(())
    })?;
    Ok((secrets, PyArray1::from_vec(py, found.iter().map(Option::is_some).collect())))
}
