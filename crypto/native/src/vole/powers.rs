//! Powers of the point that a batch of trees is checked at.
#![forbid(unsafe_code)]

use super::{MAX_LEAVES, NOISE};
use crate::field;
use rayon::prelude::*;

/// Powers that are at hand at once.
const POWERS: usize = 1024;

/// Powers of a point.
pub(super) struct Powers {
    pub(super) point: u128,
    first: Vec<u128>,
}

impl Powers {
    pub fn new(point: u128) -> Self {
        let mut first = vec![0; POWERS + 1];
        field::powers(point, &mut first);
        Self { point, first }
    }

    /// One power; its time depends on no bit of the exponent, which is a secret place.
    pub fn at(&self, exponent: usize) -> u128 {
        (0..usize::BITS - usize::leading_zeros(MAX_LEAVES * NOISE)).rev().fold(1, |power, bit| {
            let square = field::mul(power, power);
            let taken = u128::from(exponent >> bit & 1 == 1).wrapping_neg();
            field::mul(square, 1 ^ (1 ^ self.point) & taken)
        })
    }

    /// `sum of point^(i + 1) * elements_i`, by Horner's rule over chunks.
    pub fn inner(&self, elements: &[u128]) -> u128 {
        let step = self.first[POWERS];
        let part = |elements: &[u128]| {
            elements.chunks(POWERS).rev().fold(0, |sum, chunk| {
                field::mul(sum, step) ^ field::inner(chunk, &self.first[1..=chunk.len()])
            })
        };
        let size = elements.len().div_ceil(rayon::current_num_threads()).next_multiple_of(POWERS);
        let parts: Vec<u128> = elements.par_chunks(size).map(part).collect();
        let jump = self.at(size);
        parts.iter().rev().fold(0, |sum, part| field::mul(sum, jump) ^ part)
    }
}
