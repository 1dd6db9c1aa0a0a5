//! With the AES instructions of x86: one block to a register (AES-NI), or two (VAES).
//!
//! An instruction takes four cycles and two can start in each, so eight registers are in flight. What does
//! not fill them is filled up, and takes as long as a single block.
#![allow(unsafe_code)]

mod expand;

use super::Mode;
use std::arch::x86_64::*;
use std::array::from_fn;
use zeroize::{Zeroize, ZeroizeOnDrop};

const ROUNDS: usize = 10;
const IN_FLIGHT: usize = 8;
/// FIPS 197, 5.2: the constants of the key expansion.
const RCON: [u8; ROUNDS] = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36];

/// The bytes of a block, last first.
const TURNED: u128 = 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f;

/// Proof that this machine has AES-NI, and VAES if wide; there is no other way to get one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instructions {
    wide: bool,
}

/// An expanded key: what comes before the first round, and the key of each round. Wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Keys<const N: usize> {
    rounds: [u128; N],
    #[zeroize(skip)]
    on: Instructions,
}

impl Instructions {
    /// AES-NI, where this machine has it, and SSSE3 with it, as every one so far.
    pub fn narrow() -> Option<Self> {
        let aes = is_x86_feature_detected!("aes") && is_x86_feature_detected!("ssse3");
        aes.then_some(Self { wide: false })
    }

    /// VAES, where this machine has it.
    pub fn wide() -> Option<Self> {
        let vaes = is_x86_feature_detected!("vaes") && is_x86_feature_detected!("avx2");
        Self::narrow().filter(|_| vaes).map(|_| Self { wide: true })
    }

    /// The one that counts, for people.
    pub fn name(self) -> &'static str {
        if self.wide {
            "vaes"
        } else {
            "aes"
        }
    }

    /// Expand a key of 128 bits.
    pub fn expand(self, key: u128) -> Keys<{ ROUNDS + 1 }> {
        let mut keys = Keys { rounds: [0; ROUNDS + 1], on: self };
        // SAFETY: `self` is proof of AES-NI.
        unsafe { expand::aes128(key, &mut keys.rounds) };
        keys
    }

    /// Expand a key of 256 bits, its first half first.
    pub fn expand_long(self, key: &[u8; 32]) -> Keys<15> {
        let mut keys = Keys { rounds: [0; 15], on: self };
        // SAFETY: `self` is proof of AES-NI.
        unsafe { expand::aes256(key, &mut keys.rounds) };
        keys
    }

    /// See `super::davies_meyer`; the lengths are the same.
    pub fn davies_meyer(self, keys: &[u128], blocks: &mut [u128]) {
        if self.wide {
            // SAFETY: `self` is proof of VAES, AVX2 and AES-NI.
            unsafe { wide::davies_meyer(keys, blocks) }
        } else {
            // SAFETY: `self` is proof of AES-NI.
            unsafe { narrow::davies_meyer(keys, blocks) }
        }
    }
}

impl<const N: usize> Keys<N> {
    /// Work on blocks in place.
    pub fn run(&self, mode: Mode, blocks: &mut [u128]) {
        if self.on.wide {
            // SAFETY: `on` is proof of VAES, AVX2 and AES-NI.
            unsafe { wide::run(&self.rounds, mode, blocks) }
        } else {
            // SAFETY: `on` is proof of AES-NI.
            unsafe { narrow::run(&self.rounds, mode, blocks) }
        }
    }
}

/// The work on registers of one width; the items say what a register is, how to fill and empty it, and who
/// does what is left when no full batch is.
macro_rules! registers {
    ($name:ident, $features:literal, { $($items:item)* }, { $($inside:item)* }) => {
        mod $name {
            use super::*;

            $($items)*
            $(#[inline] #[target_feature(enable = $features)] $inside)*

            const BATCH: usize = IN_FLIGHT * LANES;
            type Batch = [u128; BATCH];
            type State = [Register; IN_FLIGHT];

            /// Work on blocks in place.
            #[target_feature(enable = $features)]
            pub fn run<const N: usize>(rounds: &[u128; N], mode: Mode, blocks: &mut [u128]) {
                let (batches, left) = blocks.as_chunks_mut();
                for (batch, at) in batches.iter_mut().zip((0..).step_by(BATCH)) {
                    work(rounds, mode.at(at), batch);
                }
                let at = BATCH * batches.len();
                leftover(rounds, mode.at(at as u128), left);
            }

            #[inline]
            #[target_feature(enable = $features)]
            pub fn work<const N: usize>(rounds: &[u128; N], mode: Mode, batch: &mut Batch) {
                let output = match mode {
                    Mode::Encrypt => encrypt(rounds, open(batch)),
                    Mode::Ctr(first) => encrypt(rounds, count(first)),
                    Mode::BigEndian(first) => encrypt(rounds, count(first).map(|register| turn(register))),
                    Mode::Cr => {
                        let inputs = open(batch);
                        add(encrypt(rounds, inputs), inputs)
                    }
                    Mode::Tccr(tweak) => {
                        let inner = encrypt(rounds, open(batch));
                        add(encrypt(rounds, add(inner, count(tweak))), inner)
                    }
                };
                for (to, register) in batch.as_chunks_mut().0.iter_mut().zip(output) {
                    store(register, to);
                }
            }

            /// FIPS 197, 5.1.
            #[inline]
            #[target_feature(enable = $features)]
            fn encrypt<const N: usize>(rounds: &[u128; N], mut state: State) -> State {
                state = add(state, [broadcast(&rounds[0]); IN_FLIGHT]);
                for key in &rounds[1..N - 1] {
                    let key = broadcast(key);
                    state = state.map(|register| round(register, key));
                }
                let key = broadcast(&rounds[N - 1]);
                state.map(|register| last_round(register, key))
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn open(batch: &Batch) -> State {
                let blocks = batch.as_chunks().0;
                from_fn(|at| load(&blocks[at]))
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn add(a: State, b: State) -> State {
                from_fn(|at| xor(a[at], b[at]))
            }

            /// Registers of keys that are expanded at once, beside as many of blocks.
            const KEYS: usize = 4;
            const HASHED: usize = KEYS * LANES;

            #[target_feature(enable = $features)]
            pub fn davies_meyer(keys: &[u128], blocks: &mut [u128]) {
                let (keys, keys_left) = keys.as_chunks();
                let (blocks, blocks_left) = blocks.as_chunks_mut();
                for (keys, blocks) in keys.iter().zip(blocks) {
                    hash(keys, blocks);
                }
                let left = keys_left.len();
                if left > 0 {
                    let mut last = [[0; HASHED]; 2];
                    last[0][..left].copy_from_slice(keys_left);
                    last[1][..left].copy_from_slice(blocks_left);
                    let [keys, blocks] = &mut last;
                    hash(keys, blocks);
                    blocks_left.copy_from_slice(&blocks[..left]);
                    last.zeroize();
                }
            }

            /// FIPS 197, 5.1 and 5.2 side by side: no round key outlives its round.
            ///
            /// A word in all four columns stays where it is when rows are shifted, so the last round of the
            /// cipher is the substitution that the key expansion asks for.
            #[inline]
            #[target_feature(enable = $features)]
            fn hash(keys: &[u128; HASHED], blocks: &mut [u128; HASHED]) {
                let blocks = blocks.as_chunks_mut().0;
                let mut keys: [Register; KEYS] = from_fn(|at| load(&keys.as_chunks().0[at]));
                let inputs: [Register; KEYS] = from_fn(|at| load(&blocks[at]));
                let mut states: [Register; KEYS] = from_fn(|at| xor(inputs[at], keys[at]));
                for (at, constant) in RCON.iter().enumerate() {
                    let constant = words(i32::from(*constant) << 8);
                    keys = keys.map(|key| {
                        let word = rotate(last_round(last_word(key), constant));
                        let key = xor(key, up_one(key));
                        xor(xor(key, up_two(key)), word)
                    });
                    let last = at + 1 == ROUNDS;
                    states = from_fn(|at| if last { last_round(states[at], keys[at]) } else { round(states[at], keys[at]) });
                }
                for ((state, input), to) in states.into_iter().zip(inputs).zip(blocks) {
                    store(xor(state, input), to);
                }
            }

            /// `first`, `first + 1`, ...
            #[inline]
            #[target_feature(enable = $features)]
            fn count(first: u128) -> State {
                if (first as u64).checked_add(BATCH as u64).is_none() {
                    return from_fn(|at| numbers(from_fn(|lane| first.wrapping_add((at * LANES + lane) as u128))));
                }
                // The sum does not carry out of the low half.
                let first = numbers([first; LANES]);
                from_fn(|at| add_halves(first, numbers(from_fn(|lane| (at * LANES + lane) as u128))))
            }
        }
    };
}

registers!(
    narrow,
    "aes,ssse3",
    {
        type Register = __m128i;
        const LANES: usize = 1;
    },
    {
        pub fn load(from: &[u128; LANES]) -> Register {
            // SAFETY: reads the 16 bytes of the reference, at any alignment.
            unsafe { _mm_loadu_si128(from.as_ptr().cast()) }
        }
        pub fn store(register: Register, to: &mut [u128; LANES]) {
            // SAFETY: writes the 16 bytes of the reference, at any alignment.
            unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), register) }
        }
        fn broadcast(key: &u128) -> Register {
            load(std::array::from_ref(key))
        }
        fn numbers([number]: [u128; LANES]) -> Register {
            _mm_set_epi64x((number >> 64) as i64, number as i64)
        }
        fn xor(a: Register, b: Register) -> Register {
            _mm_xor_si128(a, b)
        }
        fn add_halves(a: Register, b: Register) -> Register {
            _mm_add_epi64(a, b)
        }
        fn round(state: Register, key: Register) -> Register {
            _mm_aesenc_si128(state, key)
        }
        fn last_round(state: Register, key: Register) -> Register {
            _mm_aesenclast_si128(state, key)
        }
        fn words(word: i32) -> Register {
            _mm_set1_epi32(word)
        }
        fn last_word(key: Register) -> Register {
            _mm_shuffle_epi32::<0xff>(key)
        }
        fn rotate(words: Register) -> Register {
            _mm_or_si128(_mm_srli_epi32::<8>(words), _mm_slli_epi32::<24>(words))
        }
        fn up_one(key: Register) -> Register {
            _mm_slli_si128::<4>(key)
        }
        fn up_two(key: Register) -> Register {
            _mm_slli_si128::<8>(key)
        }
        fn turn(register: Register) -> Register {
            _mm_shuffle_epi8(register, load(&[TURNED]))
        }
        fn leftover<const N: usize>(rounds: &[u128; N], mode: Mode, blocks: &mut [u128]) {
            if !blocks.is_empty() {
                let mut batch = [0; BATCH];
                batch[..blocks.len()].copy_from_slice(blocks);
                work(rounds, mode, &mut batch);
                blocks.copy_from_slice(&batch[..blocks.len()]);
                batch.zeroize();
            }
        }
    }
);

registers!(
    wide,
    "aes,vaes,avx2",
    {
        type Register = __m256i;
        const LANES: usize = 2;
    },
    {
        fn load(from: &[u128; LANES]) -> Register {
            // SAFETY: reads the 32 bytes of the reference, at any alignment.
            unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
        }
        fn store(register: Register, to: &mut [u128; LANES]) {
            // SAFETY: writes the 32 bytes of the reference, at any alignment.
            unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), register) }
        }
        fn broadcast(key: &u128) -> Register {
            _mm256_broadcastsi128_si256(narrow::load(std::array::from_ref(key)))
        }
        fn numbers([a, b]: [u128; LANES]) -> Register {
            _mm256_set_epi64x((b >> 64) as i64, b as i64, (a >> 64) as i64, a as i64)
        }
        fn xor(a: Register, b: Register) -> Register {
            _mm256_xor_si256(a, b)
        }
        fn add_halves(a: Register, b: Register) -> Register {
            _mm256_add_epi64(a, b)
        }
        fn round(state: Register, key: Register) -> Register {
            _mm256_aesenc_epi128(state, key)
        }
        fn last_round(state: Register, key: Register) -> Register {
            _mm256_aesenclast_epi128(state, key)
        }
        fn words(word: i32) -> Register {
            _mm256_set1_epi32(word)
        }
        fn last_word(key: Register) -> Register {
            _mm256_shuffle_epi32::<0xff>(key)
        }
        fn rotate(words: Register) -> Register {
            _mm256_or_si256(_mm256_srli_epi32::<8>(words), _mm256_slli_epi32::<24>(words))
        }
        fn up_one(key: Register) -> Register {
            _mm256_slli_si256::<4>(key)
        }
        fn up_two(key: Register) -> Register {
            _mm256_slli_si256::<8>(key)
        }
        fn turn(register: Register) -> Register {
            _mm256_shuffle_epi8(register, broadcast(&TURNED))
        }
        fn leftover<const N: usize>(rounds: &[u128; N], mode: Mode, blocks: &mut [u128]) {
            narrow::run(rounds, mode, blocks);
        }
    }
);
