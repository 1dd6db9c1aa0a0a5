//! Long arrays in huge pages, which are kept for the next one.
//!
//! The bulk engine writes to thousands of places of arrays of tens of megabytes at once: with pages of 4 KiB it
//! would miss the TLB at every step. And a fresh page must be cleared by the system, which takes longer than to
//! fill it: so what is freed is kept, up to a limit, and handed out again with whatever it holds.
#![forbid(unsafe_code)]

use bytemuck::Pod;
use memmap2::MmapMut;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};
use zeroize::Zeroize;

/// From here on huge pages pay.
const HUGE_BYTES: usize = 1 << 22;
/// Freed memory that is kept at most.
const KEPT_BYTES: usize = 256 << 20;

static KEPT: Mutex<Vec<MmapMut>> = Mutex::new(Vec::new());

/// An array of a fixed length.
pub struct Big<T: Pod>(Memory<T>);

enum Memory<T: Pod> {
    Small(Vec<T>),
    Mapped { bytes: Option<MmapMut>, n: usize, of: PhantomData<T> },
}

impl<T: Pod> Big<T> {
    /// `n` zeros.
    pub fn zeros(n: usize) -> Self {
        let mut new = Self::scratch(n);
        new.fill(T::zeroed());
        new
    }

    /// `n` values, whatever they are: for who writes before reading.
    pub fn scratch(n: usize) -> Self {
        let length = n.checked_mul(size_of::<T>()).filter(|length| *length >= HUGE_BYTES);
        // Who has no memory to map ends as every vector does.
        Self(match length.and_then(|length| take(length).or_else(|| map(length))) {
            Some(bytes) => Memory::Mapped { bytes: Some(bytes), n, of: PhantomData },
            None => Memory::Small(vec![T::zeroed(); n]),
        })
    }
}

fn kept() -> MutexGuard<'static, Vec<MmapMut>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The smallest of what is kept that is long enough, and not absurdly long.
fn take(length: usize) -> Option<MmapMut> {
    let mut kept = kept();
    let fits = |bytes: &MmapMut| (length..=8 * length).contains(&bytes.len());
    let (at, _) =
        kept.iter().enumerate().filter(|(_, bytes)| fits(bytes)).min_by_key(|(_, bytes)| bytes.len())?;
    Some(kept.swap_remove(at))
}

fn map(length: usize) -> Option<MmapMut> {
    let bytes = MmapMut::map_anon(length).ok()?;
    #[cfg(target_os = "linux")]
    let _ = bytes.advise(memmap2::Advice::HugePage); // a kernel without them has small pages
    Some(bytes)
}

impl<T: Pod> Drop for Big<T> {
    fn drop(&mut self) {
        if let Memory::Mapped { bytes, .. } = &mut self.0 {
            let mut kept = kept();
            kept.extend(bytes.take());
            while kept.iter().map(|bytes| bytes.len()).sum::<usize>() > KEPT_BYTES {
                kept.remove(0); // the oldest
            }
        }
    }
}

impl<T: Pod> Deref for Big<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Memory::Small(values) => values,
            Memory::Mapped { bytes, n, .. } => {
                bytes.as_deref().map_or(&[], |bytes| bytemuck::cast_slice(&bytes[..n * size_of::<T>()]))
            }
        }
    }
}

impl<T: Pod> DerefMut for Big<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.0 {
            Memory::Small(values) => values,
            Memory::Mapped { bytes, n, .. } => bytes
                .as_deref_mut()
                .map_or(&mut [], |bytes| bytemuck::cast_slice_mut(&mut bytes[..*n * size_of::<T>()])),
        }
    }
}

impl<T: Pod + Zeroize> Zeroize for Big<T> {
    fn zeroize(&mut self) {
        self.iter_mut().for_each(Zeroize::zeroize);
    }
}

/// Bring an array into the cache, in order, which the machine foresees: who begins at random places would wait for
/// each line.
#[inline]
pub(crate) fn fetch<T: Copy>(values: &[T]) {
    const LINE: usize = 64;
    for line in values.chunks((LINE / size_of::<T>()).max(1)) {
        std::hint::black_box(line[0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_an_array_of_zeros_even_the_second_time() {
        let huge = HUGE_BYTES / 16;
        for n in [0, 1, 1000, huge - 1, huge, huge + 1, huge, huge / 2, 2 * huge, huge + 1] {
            let mut big = Big::<u128>::zeros(n);
            assert_eq!(big.len(), n);
            assert!(big.iter().all(|value| *value == 0));
            big.iter_mut().zip(1..).for_each(|(value, i)| *value = i);
            assert!(big.iter().copied().eq(1..=n as u128));
            assert_eq!(Big::<[u64; 3]>::scratch(n).len(), n);
            big.zeroize();
            assert!(big.iter().all(|value| *value == 0));
            big.fill(7);
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        drop([(); 5].map(|()| Big::<u8>::scratch(KEPT_BYTES / 3)));
        assert!(kept().iter().map(|bytes| bytes.len()).sum::<usize>() <= KEPT_BYTES);
    }
}
