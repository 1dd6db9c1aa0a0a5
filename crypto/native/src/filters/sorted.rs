//! The first bytes of each tag, in order: exact enough for any rate, and open to be compared row by row.
#![forbid(unsafe_code)]

use super::{answers, Column, TAG_BYTES};
use crate::errors::{Error, Result};
use crate::rows::sort_uniform;

/// The tags of a set, `width` bytes of each, sorted and distinct.
///
/// # Errors
/// `Parameter` if tags have fewer bytes, or none is kept.
pub fn build(tags: &[u128], width: usize) -> Result<Vec<u8>> {
    checked(&[], width)?;
    // Rows are in the order of their bytes, the first one first.
    let sorted =
        sort_uniform(tags, |tag| (*tag as u64).swap_bytes(), |a, b| a.swap_bytes().cmp(&b.swap_bytes()));
    let mut rows = Vec::with_capacity(tags.len() * width);
    for tag in sorted.iter() {
        let row = &tag.to_le_bytes()[..width];
        if !rows.ends_with(row) || rows.is_empty() {
            rows.extend_from_slice(row);
        }
    }
    Ok(rows)
}

/// Whether each row is greater than the one before.
///
/// # Errors
/// `Parameter` if these are no rows of that width.
pub fn ascends(rows: &[u8], width: usize) -> Result<bool> {
    let rows = checked(rows, width)?;
    Ok(rows.chunks_exact(width).is_sorted_by(|a, b| a < b))
}

/// Which tags the rows hold, or seem to hold.
///
/// # Errors
/// `Parameter` if these are no rows of that width.
pub fn contains(rows: &[u8], width: usize, tags: &[u128]) -> Result<Vec<bool>> {
    let table = Table { rows: checked(rows, width)?, width };
    Ok(answers(tags, |tag| {
        let row = tag.swap_bytes() >> (128 - 8 * width);
        let at = table.search(row as f64, |at| table.row(at) < row);
        at < table.len() && table.row(at) == row
    }))
}

fn checked(rows: &[u8], width: usize) -> Result<&[u8]> {
    if !(1..=TAG_BYTES).contains(&width) || !rows.len().is_multiple_of(width) {
        return Err(Error::Parameter("truncated tags have 1 to 16 bytes each".into()));
    }
    Ok(rows)
}

#[derive(Clone, Copy)]
struct Table<'a> {
    rows: &'a [u8],
    width: usize,
}

impl Table<'_> {
    /// A row as a number: numbers compare as their bytes do, and in one step.
    #[inline]
    fn row(self, at: usize) -> u128 {
        let rest = &self.rows[at * self.width..];
        let mut bytes = [0; TAG_BYTES];
        match rest.first_chunk() {
            Some(more) => bytes = *more,
            None => bytes[..self.width].copy_from_slice(&rest[..self.width]),
        }
        u128::from_be_bytes(bytes) >> (128 - 8 * self.width)
    }
}

impl Column for Table<'_> {
    fn len(&self) -> usize {
        self.rows.len() / self.width
    }

    fn density(&self) -> f64 {
        self.len() as f64 / (u128::MAX >> (128 - 8 * self.width)) as f64
    }

    fn value(&self, at: usize) -> f64 {
        self.row(at) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::uniform;
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn rows_are_the_distinct_first_bytes_in_order() {
        for (n, width) in [(0, 8), (1, 1), (1, 16), (300, 1), (300, 2), (5000, 9), (70_000, 3)] {
            let tags = uniform(n, 4);
            let expected: BTreeSet<_> = tags.iter().map(|tag| tag.to_le_bytes()[..width].to_vec()).collect();
            let rows = build(&tags, width).unwrap();
            assert!(rows.chunks_exact(width).eq(expected.iter()));
            assert!(ascends(&rows, width).unwrap());
            let strangers = uniform(20_000, 5);
            for (held, tag) in contains(&rows, width, &strangers).unwrap().into_iter().zip(&strangers) {
                assert_eq!(held, expected.contains(&tag.to_le_bytes()[..width]));
            }
            assert!(contains(&rows, width, &tags).unwrap().into_iter().all(|held| held));
        }
    }

    #[test]
    fn rows_that_are_not_uniform_are_found_too() {
        for tags in [vec![0; 9], vec![u128::MAX; 9], (0..3000).collect(), (0..3000).map(|i| !i).collect()] {
            let rows = build(&tags, 16).unwrap();
            let others: Vec<u128> =
                (0..6000).map(|i| i << 64).chain(uniform(500, 1)).chain(tags.clone()).collect();
            let held = contains(&rows, 16, &others).unwrap();
            for (held, tag) in held.into_iter().zip(&others) {
                assert_eq!(held, tags.contains(tag));
            }
        }
    }

    #[test]
    fn order_and_width_are_checked() {
        assert!(!ascends(&[1, 1], 1).unwrap() && !ascends(&[2, 0, 1, 9], 2).unwrap());
        assert!(ascends(&[1, 2], 1).unwrap() && ascends(&[], 3).unwrap());
        for (rows, width) in [(&[1, 2, 3][..], 2), (&[][..], 0), (&[][..], 17)] {
            assert!(ascends(rows, width).is_err() && contains(rows, width, &[]).is_err());
        }
        assert!(build(&[1], 0).is_err() && build(&[1], 17).is_err());
    }
}
