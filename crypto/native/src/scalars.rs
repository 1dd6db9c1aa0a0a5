//! Secret scalars: uniform, not zero, and from whom.
//!
//! They come from the operating system, through buffers that are wiped; what a caller draws for itself (test
//! vectors do) is the caller's to wipe.
#![forbid(unsafe_code)]

use crate::errors::{Error, Result};
use crate::group::{CHUNK, WIDE_BYTES};
use curve25519_dalek::scalar::Scalar;
use rayon::prelude::*;
use zeroize::Zeroizing;

/// A zero has chance 2^-252: this many in a row are no accident.
const MAX_DRAWS: usize = 8;

/// Scalars other than zero: of 64 given bytes each, or of the operating system's.
pub fn draw(given: Option<&[u8]>, count: usize) -> Result<Zeroizing<Vec<Scalar>>> {
    match given {
        Some(bytes) if bytes.len() != count * WIDE_BYTES => {
            Err(Error::Parameter(format!("{count} scalars take {WIDE_BYTES} random bytes each")))
        }
        Some(bytes) if !usable(bytes) => Err(Error::Parameter("random bytes reduce to zero".into())),
        Some(bytes) => draw_from(count, |start, buffer| {
            buffer.copy_from_slice(&bytes[start * WIDE_BYTES..][..buffer.len()]);
            Ok(())
        }),
        None => draw_from(count, |_, buffer| {
            getrandom::fill(buffer).map_err(|error| {
                Error::Randomness(format!("the operating system gives no randomness: {error}"))
            })
        }),
    }
}

/// One scalar, as `draw`.
pub fn draw_one(given: Option<&[u8]>) -> Result<Zeroizing<Scalar>> {
    draw(given, 1).map(|scalars| Zeroizing::new(scalars[0]))
}

/// Whether all 64-byte draws reduce to scalars other than zero.
pub fn usable(draws: &[u8]) -> bool {
    draws.par_chunks(WIDE_BYTES).with_min_len(CHUNK).all(|draw| *reduce(draw) != Scalar::ZERO)
}

/// Scalars where `fill(first, buffer)` gives the bytes of those from the first on; zeros are filled again.
fn draw_from<F>(count: usize, fill: F) -> Result<Zeroizing<Vec<Scalar>>>
where
    F: Fn(usize, &mut [u8]) -> Result<()> + Sync,
{
    let mut scalars = Zeroizing::new(vec![Scalar::ZERO; count]);
    scalars.par_chunks_mut(CHUNK).enumerate().try_for_each(|(chunk, scalars)| {
        let start = chunk * CHUNK;
        let mut buffer = Zeroizing::new(vec![0; scalars.len() * WIDE_BYTES]);
        fill(start, &mut buffer)?;
        let draws = buffer.chunks_exact_mut(WIDE_BYTES);
        for (index, (scalar, draw)) in scalars.iter_mut().zip(draws).enumerate() {
            *scalar = *reduce(draw);
            for _ in 1..MAX_DRAWS {
                if *scalar != Scalar::ZERO {
                    break;
                }
                fill(start + index, draw)?;
                *scalar = *reduce(draw);
            }
            if *scalar == Scalar::ZERO {
                return Err(Error::Randomness("the randomness is nothing but zeros".into()));
            }
        }
        Ok(())
    })?;
    Ok(scalars)
}

fn reduce(draw: &[u8]) -> Zeroizing<Scalar> {
    let mut bytes = Zeroizing::new([0; WIDE_BYTES]);
    bytes.copy_from_slice(draw);
    Zeroizing::new(Scalar::from_bytes_mod_order_wide(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// The order of the group, which reduces to zero.
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];

    #[test]
    fn the_system_gives_distinct_scalars() {
        let count = 2 * CHUNK + 1; // the last chunk is not full
        let drawn = draw(None, count).unwrap();
        let mut bytes: Vec<_> = drawn.iter().map(Scalar::to_bytes).collect();
        bytes.sort_unstable();
        bytes.dedup();
        assert_eq!(bytes.len(), count);
        assert!(!bytes.contains(&[0; 32]));
        assert_ne!(*draw_one(None).unwrap(), *draw_one(None).unwrap());
    }

    #[test]
    fn given_bytes_are_reduced_in_their_order() {
        let bytes: Vec<u8> = (0..(CHUNK + 3) * WIDE_BYTES).map(|at| (at * 17 % 253) as u8).collect();
        let drawn = draw(Some(&bytes), CHUNK + 3).unwrap();
        let wide = |draw: &[u8]| Scalar::from_bytes_mod_order_wide(draw.try_into().unwrap());
        assert_eq!(*drawn, bytes.chunks(WIDE_BYTES).map(wide).collect::<Vec<_>>());
    }

    #[test]
    fn given_bytes_of_another_length_or_zero_are_refused() {
        let mut order = [0; 2 * WIDE_BYTES];
        order[0] = 1;
        order[WIDE_BYTES..][..32].copy_from_slice(&ORDER);
        assert!(!usable(&order));
        for (bytes, count) in [(&order[..], 2), (&order[..], 1), (&order[..63], 1), (&[], 1)] {
            assert!(matches!(draw(Some(bytes), count), Err(Error::Parameter(_))));
        }
        assert!(draw(Some(&order[..WIDE_BYTES]), 1).is_ok());
    }

    #[test]
    fn a_zero_is_drawn_again_and_no_other() {
        let calls = AtomicUsize::new(0);
        let drawn = draw_from(3, |start, buffer| {
            match calls.fetch_add(1, Ordering::Relaxed) {
                0 => [1, 0, 3].iter().zip(buffer.chunks_mut(WIDE_BYTES)).for_each(|(n, draw)| draw[0] = *n),
                1 => buffer[..32].copy_from_slice(&ORDER),
                _ => buffer.copy_from_slice(&[[7], [0]].concat().repeat(32)),
            }
            assert!(start <= 1);
            Ok(())
        });
        let seven = Scalar::from_bytes_mod_order_wide(&[7, 0].repeat(32).try_into().unwrap());
        assert_eq!(*drawn.unwrap(), [Scalar::ONE, seven, Scalar::from(3u8)]);
        assert_eq!(calls.into_inner(), 3);
    }

    #[test]
    fn broken_randomness_ends() {
        assert!(matches!(draw_from(1, |_, _| Ok(())), Err(Error::Randomness(_))));
        let failed = draw_from(1, |_, _| Err(Error::Randomness("none".into())));
        assert!(matches!(failed, Err(Error::Randomness(_))));
    }
}
