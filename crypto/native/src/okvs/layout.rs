//! How many slots a store has, so that an encoding exists but with probability 2^-40.
#![forbid(unsafe_code)]

use crate::errors::{Error, Result};

/// Bits of a band.
pub const BAND: usize = 128;
/// Most keys of a store.
pub const MAX_KEYS: usize = 1 << 26;
/// Starts by the thousand keys, for at most `2^(10 + index)` keys. `docs/okvs.md` derives them.
const STARTS_PER_MILLE: [usize; 17] =
    [146, 149, 153, 156, 160, 164, 167, 171, 175, 178, 182, 186, 189, 193, 197, 200, 204];
const FIRST_LOG: u32 = 10;
/// Fewest and most starts of a bucket, as powers of two.
const BUCKET_LOG: (u32, u32) = (9, 15);
/// Buckets that a scatter fills at once without missing its caches.
const BUCKETS_LOG: u32 = 13;

/// The shape of a store for a number of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    buckets: usize,
    bucket_log: u32,
}

impl Layout {
    /// The shape for `n` keys; both parties compute it.
    pub fn of(n: usize) -> Result<Self> {
        if n > MAX_KEYS {
            return Err(Error::Parameter("a store holds at most 2^26 keys".into()));
        }
        let log = n.max(1).next_power_of_two().ilog2();
        let more = STARTS_PER_MILLE[log.saturating_sub(FIRST_LOG) as usize];
        Ok(Self::with_starts(n + (n * more).div_ceil(1000)))
    }

    /// At least so many starts.
    pub(crate) fn with_starts(starts: usize) -> Self {
        let log = starts.max(1).next_power_of_two().ilog2();
        let bucket_log = log.saturating_sub(BUCKETS_LOG).clamp(BUCKET_LOG.0, BUCKET_LOG.1);
        Self { buckets: starts.max(1).div_ceil(1 << bucket_log), bucket_log }
    }

    /// Slots of the table.
    pub fn slots(&self) -> usize {
        self.starts() + BAND - 1
    }

    /// Slots at which a band can start.
    pub fn starts(&self) -> usize {
        self.buckets << self.bucket_log
    }

    /// Runs of starts that keys are sorted into first.
    pub(crate) fn buckets(&self) -> usize {
        self.buckets
    }

    /// Starts of a bucket, as a power of two.
    pub(crate) fn bucket_log(&self) -> u32 {
        self.bucket_log
    }

    /// Where the band of a hashed key starts: its low 64 bits as a fraction of all starts.
    pub(crate) fn start(&self, digest: u128) -> usize {
        ((u128::from(digest as u64) * self.starts() as u128) >> 64) as usize
    }
}
