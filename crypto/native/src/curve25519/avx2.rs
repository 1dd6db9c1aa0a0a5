//! Four elements of GF(2^255 - 19) at once: the arithmetic of `simd`, in the words of this engine.
//!
//! Nothing here carries but products: `simd::field` counts terms instead. A sum of two products has two terms
//! and a difference three, so both are fit for a square, and for a product on either side but one.
#![forbid(unsafe_code)]

use crate::simd::field::{limbs_of, Mask, F4};
use std::arch::x86_64::*;
use zeroize::Zeroize;

pub const LANES: usize = 4;

/// Four elements, of up to three terms.
#[derive(Clone, Copy, Zeroize)]
pub struct Field(F4);

/// The same.
#[derive(Clone, Copy)]
pub struct Wide(F4);

/// For each lane all ones or all zeros.
#[derive(Clone, Copy)]
pub struct Choice(Mask);

impl Wide {
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn add(&self, other: &Wide) -> Wide {
        Wide(self.0.add(&other.0))
    }

    /// Difference; of two products.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn sub(&self, other: &Wide) -> Wide {
        Wide(self.0.sub(&other.0))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn narrow(&self) -> Field {
        Field(self.0)
    }

    /// Plus a small multiple of an element: `k` below 2^32; one term.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn add_multiple(&self, x: &Field, k: u32) -> Wide {
        let k = _mm256_set1_epi64x(i64::from(k));
        let mut sum = self.0;
        for (sum, limb) in sum.0.iter_mut().zip(x.0 .0) {
            *sum = _mm256_add_epi64(*sum, _mm256_mul_epu32(limb, k));
        }
        Wide(sum.carry())
    }
}

impl Field {
    /// The same small number in every lane.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn small(value: u32) -> Self {
        Field(F4::splat(&[value, 0, 0, 0, 0, 0, 0, 0, 0, 0]))
    }

    /// An element for each lane.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn from_bytes(lanes: &[[u8; 32]; LANES]) -> Self {
        Field(F4::from_lanes(&lanes.each_ref().map(limbs_of)))
    }

    /// The canonical encoding of each lane.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn to_bytes(self) -> [[u8; 32]; LANES] {
        self.0.to_bytes()
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn wide(&self) -> Wide {
        Wide(self.0)
    }

    /// Product.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn mul(&self, other: &Field) -> Wide {
        Wide(self.0.mul(&other.0))
    }

    /// Square.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn square(&self) -> Wide {
        Wide(self.0.square())
    }

    /// `yes` where the choice is on, else `no`.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn select(choice: Choice, yes: &Field, no: &Field) -> Field {
        Field(F4::select(choice.0, &yes.0, &no.0))
    }
}

impl Choice {
    /// The same for every lane: 0 or 1.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn all(bit: u8) -> Self {
        Choice(Mask(_mm256_set1_epi64x(-i64::from(bit))))
    }

    /// One for each lane: 0 or 1.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn each(bits: [u8; LANES]) -> Self {
        let [a, b, c, d] = bits.map(|bit| -i64::from(bit));
        Choice(Mask(_mm256_set_epi64x(d, c, b, a)))
    }
}
