//! Filters over sets of uniform 128-bit tags: Bloom, Golomb-coded, and sorted truncated tags.
//!
//! A tag is the output of a pseudorandom function, so its bits are the hash that a filter needs: nothing here is keyed
//! or hashed again. Tags are numbers, their least significant byte first.
#![forbid(unsafe_code)]

pub mod bloom;
pub mod golomb;
pub mod sorted;

use rayon::prelude::*;

/// Bytes of a tag.
pub const TAG_BYTES: usize = 16;
/// Queries that one thread answers in a row.
const CHUNK: usize = 1024;

/// `floor(tag * range / 2^128)`: uniform below `range`, and in the order of the tags.
fn reduce(tag: u128, range: u64) -> u64 {
    let low = ((tag & u128::from(u64::MAX)) * u128::from(range)) >> 64;
    (((tag >> 64) * u128::from(range) + low) >> 64) as u64
}

/// A sorted column of numbers that are close to uniform below a bound, which tells where to look.
trait Column {
    fn len(&self) -> usize;
    /// How many rows there are for each number below the bound.
    fn density(&self) -> f64;
    /// About the number of a row.
    fn value(&self, at: usize) -> f64;

    /// How many rows come before one with about the number `key`, which `before` decides.
    ///
    /// Interpolates three times, then looks further out by doubled steps, and halves what is between: numbers that are
    /// not uniform cost a binary search, twice.
    #[inline]
    fn search(&self, key: f64, before: impl Fn(usize) -> bool) -> usize {
        let n = self.len();
        let mut guess = ((key * self.density()) as usize).min(n);
        for _ in 0..2 * n.min(1) {
            let off = (key - self.value(guess.min(n - 1))) * self.density();
            guess = ((guess as f64 + off) as usize).min(n);
        }
        let (mut low, mut high, mut out) = (guess, guess, NEAR);
        while low > 0 && !before(low - 1) {
            (high, low, out) = (low - 1, low.saturating_sub(out), out.saturating_mul(2));
        }
        out = NEAR;
        while high < n && before(high) {
            (low, high, out) = (high + 1, high.saturating_add(out).min(n), out.saturating_mul(2));
        }
        while low < high {
            let middle = low.midpoint(high);
            (low, high) = if before(middle) { (middle + 1, high) } else { (low, middle) };
        }
        low
    }
}

/// Rows that the last interpolation is mostly off, at most.
const NEAR: usize = 8;

/// The answer for each tag, on all cores.
fn answers(tags: &[u128], contains: impl Fn(u128) -> bool + Sync) -> Vec<bool> {
    let mut out = vec![false; tags.len()];
    out.par_chunks_mut(CHUNK).zip(tags.par_chunks(CHUNK)).for_each(|(out, tags)| {
        for (answer, tag) in out.iter_mut().zip(tags) {
            *answer = contains(*tag);
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn uniform(n: usize, seed: u128) -> Vec<u128> {
        let mut state = seed | 1;
        (0..n)
            .map(|_| {
                state = state.wrapping_mul(0xda94_2042_e4dd_58b5_0fed_cba9_8765_4321).wrapping_add(12345);
                state ^ state.rotate_left(61) ^ state >> 47
            })
            .collect()
    }

    struct Anything(Vec<f64>, f64);

    impl Column for Anything {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn density(&self) -> f64 {
            self.1
        }

        fn value(&self, at: usize) -> f64 {
            self.0[at]
        }
    }

    #[test]
    fn any_guess_finds_the_row() {
        for n in [0, 1, 2, 7, 100] {
            for density in [0.0, 0.01, 1.0, 1e9, -3.0, f64::INFINITY, f64::NAN] {
                for values in [vec![0.0; n], (0..n).map(|i| i as f64).collect(), vec![f64::NAN; n]] {
                    let column = Anything(values, density);
                    for place in 0..=n {
                        assert_eq!(column.search(place as f64, |row| row < place), place);
                    }
                }
            }
        }
    }

    #[test]
    fn a_tag_is_reduced_to_its_part_of_the_range() {
        for range in [1, 2, 3, 1000, 1 << 40, u64::MAX] {
            assert_eq!(reduce(0, range), 0);
            assert_eq!(reduce(u128::MAX, range), range - 1);
            assert_eq!(reduce(1 << 127, range), range / 2);
            let mut tags = uniform(1000, 3);
            tags.sort_unstable();
            assert!(tags.is_sorted_by_key(|tag| reduce(*tag, range)));
        }
    }
}
