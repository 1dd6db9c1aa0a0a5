//! GF(2^128): polynomials over GF(2) modulo x^128 + x^7 + x^2 + x + 1.
//!
//! An element is a `u128` whose bit `i` is the coefficient of x^i (GHASH has them the other way round).
//! Addition is `^`. Everything is constant time. Nothing here is parallel: who calls, knows the chunks.

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::LazyLock;

/// Which instructions compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backend {
    Portable,
    #[cfg(target_arch = "x86_64")]
    X86(x86::Instructions),
}

impl Backend {
    /// The fastest that this machine can run, and may; chosen once, since callers ask for every product.
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

    fn mul(self, a: u128, b: u128) -> u128 {
        match self {
            Self::Portable => portable::mul(a, b),
            #[cfg(target_arch = "x86_64")]
            Self::X86(instructions) => instructions.mul(a, b),
        }
    }

    fn scale(self, a: u128, xs: &mut [u128]) {
        match self {
            Self::Portable => portable::scale(a, xs),
            #[cfg(target_arch = "x86_64")]
            Self::X86(instructions) => instructions.scale(a, xs),
        }
    }

    fn add_scaled(self, acc: &mut [u128], a: u128, xs: &[u128]) {
        assert_eq!(acc.len(), xs.len(), "one sum for each term");
        match self {
            Self::Portable => portable::add_scaled(acc, a, xs),
            #[cfg(target_arch = "x86_64")]
            Self::X86(instructions) => instructions.add_scaled(acc, a, xs),
        }
    }

    fn inner(self, xs: &[u128], ys: &[u128]) -> u128 {
        assert_eq!(xs.len(), ys.len(), "factors come in pairs");
        match self {
            Self::Portable => portable::inner(xs, ys),
            #[cfg(target_arch = "x86_64")]
            Self::X86(instructions) => instructions.inner(xs, ys),
        }
    }

    fn powers(self, x: u128, out: &mut [u128]) {
        match self {
            Self::Portable => portable::powers(x, out),
            #[cfg(target_arch = "x86_64")]
            Self::X86(instructions) => instructions.powers(x, out),
        }
    }
}

/// The instructions in use, or `"portable"`.
pub fn backend() -> &'static str {
    Backend::detect().name()
}

/// The product.
pub fn mul(a: u128, b: u128) -> u128 {
    Backend::detect().mul(a, b)
}

/// Multiply each of `xs` by `a`.
pub fn scale(a: u128, xs: &mut [u128]) {
    Backend::detect().scale(a, xs);
}

/// Add `a * xs[i]` to `acc[i]`, for each `i`.
///
/// # Panics
/// If the lengths differ.
pub fn add_scaled(acc: &mut [u128], a: u128, xs: &[u128]) {
    Backend::detect().add_scaled(acc, a, xs);
}

/// The sum of the products `xs[i] * ys[i]`.
///
/// # Panics
/// If the lengths differ.
pub fn inner(xs: &[u128], ys: &[u128]) -> u128 {
    Backend::detect().inner(xs, ys)
}

/// Write 1, x, x^2, ...: `out[i] = x^i`.
pub fn powers(x: u128, out: &mut [u128]) {
    Backend::detect().powers(x, out);
}

#[cfg(test)]
mod tests;
