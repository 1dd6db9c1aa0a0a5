//! AES over many blocks at once: encryption, generators, and hashes for correlated blocks.
//!
//! A block is a `u128`; its least significant byte is the first byte of FIPS 197. Nothing here is parallel:
//! who calls, knows the chunks. Everything is constant time: no implementation looks into a table.

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use aes::cipher::consts::U16;
use aes::cipher::BlockCipherEncrypt;
use std::sync::LazyLock;

/// The public key of `tccr`: the first 128 bits of the fraction of pi, so that nobody chose it.
const FIXED_KEY: u128 = 0x243f_6a88_85a3_08d3_1319_8a2e_0370_7344;
static FIXED: LazyLock<Aes> = LazyLock::new(|| Aes::new(FIXED_KEY));

/// AES-128 (FIPS 197) under one key. Wiped when dropped.
#[derive(Clone)]
pub struct Aes(Keys<aes::Aes128, 11>);

/// AES-256 (FIPS 197) in counter mode under one key. Wiped when dropped.
#[derive(Clone)]
pub struct Aes256(Keys<aes::Aes256, 15>);

/// Which instructions compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backend {
    Portable,
    #[cfg(target_arch = "x86_64")]
    X86(x86::Instructions),
}

#[derive(Clone)]
enum Keys<C, const N: usize> {
    Portable(portable::Keys<C>),
    #[cfg(target_arch = "x86_64")]
    X86(x86::Keys<N>),
}

impl<C: BlockCipherEncrypt<BlockSize = U16>, const N: usize> Keys<C, N> {
    fn run(&self, mode: Mode, blocks: &mut [u128]) {
        match self {
            Self::Portable(keys) => keys.run(mode, blocks),
            #[cfg(target_arch = "x86_64")]
            Self::X86(keys) => keys.run(mode, blocks),
        }
    }
}

/// What is done with each block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Encrypt,
    /// Encrypt a number instead, which counts the blocks from here on.
    Ctr(u128),
    /// The same, but the number's most significant byte comes first: counter mode of NIST SP 800-38A.
    BigEndian(u128),
    Cr,
    /// The tweak counts the blocks from here on.
    Tccr(u128),
}

impl Mode {
    /// The mode for what comes so many blocks later.
    fn at(self, index: u128) -> Self {
        match self {
            Self::Encrypt | Self::Cr => self,
            Self::Ctr(first) => Self::Ctr(first.wrapping_add(index)),
            Self::BigEndian(first) => Self::BigEndian(first.wrapping_add(index)),
            Self::Tccr(tweak) => Self::Tccr(tweak.wrapping_add(index)),
        }
    }
}

impl Backend {
    /// The fastest that this machine can run, and may; chosen once, since callers ask for every key.
    fn detect() -> Self {
        static CHOSEN: LazyLock<Backend> = LazyLock::new(|| {
            #[cfg(target_arch = "x86_64")]
            if let Some(instructions) = x86::Instructions::wide().or_else(x86::Instructions::narrow) {
                if !crate::machine::portable() {
                    return Backend::X86(instructions);
                }
            }
            Backend::Portable
        });
        *CHOSEN
    }

    fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::X86(instructions) => instructions.name(),
        }
    }
}

/// The instructions in use, or `"portable"`.
pub fn backend() -> &'static str {
    Backend::detect().name()
}

impl Aes {
    /// Expand a key.
    pub fn new(key: u128) -> Self {
        Self::on(Backend::detect(), key)
    }

    fn on(backend: Backend, key: u128) -> Self {
        Self(match backend {
            Backend::Portable => Keys::Portable(portable::Keys::expand(key)),
            #[cfg(target_arch = "x86_64")]
            Backend::X86(instructions) => Keys::X86(instructions.expand(key)),
        })
    }

    /// Encrypt each block.
    pub fn encrypt(&self, blocks: &mut [u128]) {
        self.0.run(Mode::Encrypt, blocks);
    }

    /// Write the encryptions of `first`, `first + 1`, ... (modulo 2^128).
    pub fn ctr(&self, first: u128, out: &mut [u128]) {
        self.0.run(Mode::Ctr(first), out);
    }
}

impl Aes256 {
    /// Expand a key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self::on(Backend::detect(), key)
    }

    fn on(backend: Backend, key: &[u8; 32]) -> Self {
        Self(match backend {
            Backend::Portable => Keys::Portable(portable::Keys::expand_long(key)),
            #[cfg(target_arch = "x86_64")]
            Backend::X86(instructions) => Keys::X86(instructions.expand_long(key)),
        })
    }

    /// Write the key stream from block `first` on, the number of a block being its counter (NIST SP 800-38A, 6.5).
    pub fn ctr(&self, first: u128, out: &mut [u128]) {
        self.0.run(Mode::BigEndian(first), out);
    }
}

/// A generator of pseudorandom blocks: AES in counter mode, whose key is the seed. Wiped when dropped.
pub struct Prg {
    aes: Aes,
    next: u128,
}

impl Prg {
    /// Begin with a seed, which must be uniform and used for nothing else.
    pub fn new(seed: u128) -> Self {
        Self { aes: Aes::new(seed), next: 0 }
    }

    /// Write the next blocks.
    pub fn fill(&mut self, out: &mut [u128]) {
        self.aes.ctr(self.next, out);
        self.next += out.len() as u128;
    }
}

/// Replace each block `x` by `E_k(x) ^ x` under a key of its own: Davies and Meyer's compression function, a
/// random oracle of `(k, x)` where AES is an ideal cipher.
///
/// # Panics
/// If the lengths differ.
pub fn davies_meyer(keys: &[u128], blocks: &mut [u128]) {
    davies_meyer_on(Backend::detect(), keys, blocks);
}

fn davies_meyer_on(backend: Backend, keys: &[u128], blocks: &mut [u128]) {
    assert_eq!(keys.len(), blocks.len(), "a key for each block");
    match backend {
        Backend::Portable => portable::davies_meyer(keys, blocks),
        #[cfg(target_arch = "x86_64")]
        Backend::X86(instructions) => instructions.davies_meyer(keys, blocks),
    }
}

/// Replace each block `x` by `pi(x) ^ x`, where `pi` is AES under the key: the hash of Matyas, Meyer and
/// Oseas, which is correlation robust (GKWY20, ePrint 2019/074) where `pi` is ideal.
pub fn cr(key: &Aes, blocks: &mut [u128]) {
    key.0.run(Mode::Cr, blocks);
}

/// Replace block `x` at `index` by `pi(pi(x) ^ i) ^ pi(x)`, where `i = tweak + index` (modulo 2^128) and `pi`
/// is AES under a public key: TMMO of GKWY20 (ePrint 2019/074), which is tweakable and circular correlation
/// robust where `pi` is ideal.
pub fn tccr(tweak: u128, blocks: &mut [u128]) {
    FIXED.0.run(Mode::Tccr(tweak), blocks);
}

#[cfg(test)]
pub(crate) mod tests;
