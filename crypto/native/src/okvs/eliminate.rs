//! Gaussian elimination on the fly: each row finds its pivot as it comes.
#![forbid(unsafe_code)]

use crate::errors::{Error, Result};

/// A row, with its value: `mask` selects among the slots from `slot` on, its lowest bit always.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub slot: usize,
    pub mask: u128,
    pub value: u128,
}

/// Slots with the row whose pivot each is, if any: then `masks` is not zero.
///
/// `MIRROR` counts slots from the end. A band keeps its shape in the mirror, so that one half of the matrix can
/// be eliminated from each end.
pub(crate) struct Slots<'a, const MIRROR: bool> {
    pub masks: &'a mut [u128],
    pub values: &'a mut [u128],
}

impl<const MIRROR: bool> Slots<'_, MIRROR> {
    /// Reduce a row by those that are there until it finds a free pivot. Gives it back if it leaves the slots.
    ///
    /// A row keeps fitting in `BAND` bits: of two rows with the same first slot, neither ends later than that.
    #[inline(always)]
    pub fn insert(&mut self, row: Row) -> Result<Option<Row>> {
        let Row { mut slot, mut mask, mut value } = row;
        loop {
            let Some(last) = self.masks.len().checked_sub(1 + slot) else {
                return Ok(Some(Row { slot, mask, value }));
            };
            let index = if MIRROR { last } else { slot };
            let pivot = self.masks[index];
            if pivot == 0 {
                self.masks[index] = mask;
                self.values[index] = value;
                return Ok(None);
            }
            mask ^= pivot;
            value ^= self.values[index];
            if mask == 0 {
                return Err(Error::Encoding("the keys have no encoding under this salt".into()));
            }
            let shift = mask.trailing_zeros();
            mask >>= shift;
            slot += shift as usize;
        }
    }
}
