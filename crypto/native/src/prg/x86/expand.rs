//! The key expansion (FIPS 197, 5.2), four words at a time.
#![forbid(unsafe_code)]

use super::narrow::{load, store};
use std::arch::x86_64::*;

/// Ten rounds.
#[target_feature(enable = "aes,ssse3")]
pub fn aes128(key: u128, rounds: &mut [u128; 11]) {
    let (rounds, _) = rounds.as_chunks_mut();
    let mut key = load(&[key]);
    store(key, &mut rounds[0]);
    macro_rules! rounds {
        ($($round:literal: $rcon:literal),*) => { $(
            key = turned::<$rcon>(key, key);
            store(key, &mut rounds[$round]);
        )* };
    }
    rounds!(1: 0x01, 2: 0x02, 3: 0x04, 4: 0x08, 5: 0x10, 6: 0x20, 7: 0x40, 8: 0x80, 9: 0x1b, 10: 0x36);
}

/// Fourteen rounds.
#[target_feature(enable = "aes,ssse3")]
pub fn aes256(key: &[u8; 32], rounds: &mut [u128; 15]) {
    let (rounds, _) = rounds.as_chunks_mut();
    let (halves, _) = key.as_chunks();
    let mut even = load(&[u128::from_le_bytes(halves[0])]);
    let mut odd = load(&[u128::from_le_bytes(halves[1])]);
    store(even, &mut rounds[0]);
    store(odd, &mut rounds[1]);
    macro_rules! rounds {
        ($($round:literal: $rcon:literal),*) => { $(
            even = turned::<$rcon>(even, odd);
            store(even, &mut rounds[$round]);
            odd = straight(odd, even);
            store(odd, &mut rounds[$round + 1]);
        )* };
    }
    rounds!(2: 0x01, 4: 0x02, 6: 0x04, 8: 0x08, 10: 0x10, 12: 0x20);
    store(turned::<0x40>(even, odd), &mut rounds[14]);
}

/// The next four words; the last word of `from` is substituted and turned.
#[target_feature(enable = "aes,ssse3")]
fn turned<const RCON: i32>(key: __m128i, from: __m128i) -> __m128i {
    _mm_xor_si128(sums(key), _mm_shuffle_epi32::<0xff>(_mm_aeskeygenassist_si128::<RCON>(from)))
}

/// The next four words where the last of `from` is only substituted.
#[target_feature(enable = "aes,ssse3")]
fn straight(key: __m128i, from: __m128i) -> __m128i {
    _mm_xor_si128(sums(key), _mm_shuffle_epi32::<0xaa>(_mm_aeskeygenassist_si128::<0>(from)))
}

/// Each word and all before it, added up.
#[target_feature(enable = "aes,ssse3")]
fn sums(key: __m128i) -> __m128i {
    let key = _mm_xor_si128(key, _mm_slli_si128::<4>(key));
    _mm_xor_si128(key, _mm_slli_si128::<8>(key))
}
