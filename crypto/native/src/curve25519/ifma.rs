//! Eight elements of GF(2^255 - 19) at once, in the lanes of AVX-512 registers, by the products of IFMA.
//!
//! An element is five limbs of 51 bits, one register a limb. `vpmadd52` multiplies the low 52 bits of two
//! lanes and adds the low or the high 52 bits of the product: a high half stands one bit above the next limb,
//! so it counts twice.
//!
//! Bounds. Limbs of `Field` are below 2^51 + 2^16: what `narrow` returns, and fit for a product. Limbs of
//! `Wide` are 64 bits that nothing has carried: a product is below 2^59, and a difference adds 512 p, whose
//! limbs are above that, so that sums and differences of two stay below 2^62. `narrow` takes any `Wide` below
//! 2^62: a limb's carry is below 2^11, and 19 of them below 2^16.
#![forbid(unsafe_code)]

use super::portable;
use std::arch::x86_64::*;
use zeroize::Zeroize;

type V = __m512i;

pub const LANES: usize = 8;
const LIMB: u64 = (1 << 51) - 1;
/// 512 times p, limb by limb.
const P512: [u64; 5] = [(LIMB - 18) << 9, LIMB << 9, LIMB << 9, LIMB << 9, LIMB << 9];

/// Eight reduced elements.
#[derive(Clone, Copy, Zeroize)]
pub struct Field(pub(super) [V; 5]);

/// Eight elements that are not carried.
#[derive(Clone, Copy)]
pub struct Wide(pub(super) [V; 5]);

/// A choice that is the same for every lane.
#[derive(Clone, Copy)]
pub struct Choice(__mmask8);

/// Five limbs. A macro: closures would have to be inlined through code without AVX-512.
macro_rules! limbwise {
    (|$limb:ident| $value:expr) => {
        limbwise!(@ $limb $value, 0 1 2 3 4)
    };
    (@ $limb:ident $value:expr, $($at:literal)*) => {
        [$({ let $limb: usize = $at; $value }),*]
    };
}

/// A sum of halves of products, onto what is there already.
macro_rules! sum {
    ($half:ident, $start:expr $(, ($x:expr, $y:expr))*) => {{
        let sum = $start;
        $(let sum = $half(sum, $x, $y);)*
        sum
    }};
}

macro_rules! lo { ($($all:tt)*) => { sum!(_mm512_madd52lo_epu64, $($all)*) }; }
macro_rules! hi { ($($all:tt)*) => { sum!(_mm512_madd52hi_epu64, $($all)*) }; }

#[target_feature(enable = "avx512f")]
#[inline]
fn twice(x: V) -> V {
    _mm512_add_epi64(x, x)
}

/// Limbs 5 to 9 come back at the bottom: 2^255 = 19.
#[target_feature(enable = "avx512f,avx512dq")]
#[inline]
fn fold(z: [V; 10]) -> Wide {
    let nineteen = _mm512_set1_epi64(19);
    Wide(limbwise!(|limb| _mm512_add_epi64(z[limb], _mm512_mullo_epi64(z[limb + 5], nineteen))))
}

impl Wide {
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub fn add(&self, other: &Wide) -> Wide {
        Wide(limbwise!(|limb| _mm512_add_epi64(self.0[limb], other.0[limb])))
    }

    /// Difference; of two products.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub fn sub(&self, other: &Wide) -> Wide {
        Wide(limbwise!(|limb| {
            let raised = _mm512_add_epi64(self.0[limb], _mm512_set1_epi64(P512[limb] as i64));
            _mm512_sub_epi64(raised, other.0[limb])
        }))
    }

    /// The same element, all carries at once.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub fn narrow(&self) -> Field {
        let mask = _mm512_set1_epi64(LIMB as i64);
        let over = limbwise!(|limb| _mm512_srli_epi64::<51>(self.0[limb]));
        let low = limbwise!(|limb| _mm512_and_si512(self.0[limb], mask));
        Field([
            _mm512_madd52lo_epu64(low[0], over[4], _mm512_set1_epi64(19)),
            _mm512_add_epi64(low[1], over[0]),
            _mm512_add_epi64(low[2], over[1]),
            _mm512_add_epi64(low[3], over[2]),
            _mm512_add_epi64(low[4], over[3]),
        ])
    }

    /// Plus a small multiple of an element: `k` below 2^50.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub fn add_multiple(&self, x: &Field, k: u32) -> Wide {
        let (once, double) = (_mm512_set1_epi64(i64::from(k)), _mm512_set1_epi64(2 * i64::from(k)));
        let zero = _mm512_setzero_si512();
        // A product of 2^52 and 2^18: its bits from 51 on are the high half of its double.
        let mask = _mm512_set1_epi64(LIMB as i64);
        let low = limbwise!(|limb| {
            let low = _mm512_madd52lo_epu64(zero, x.0[limb], once);
            _mm512_add_epi64(self.0[limb], _mm512_and_si512(low, mask))
        });
        let over = _mm512_madd52hi_epu64(zero, x.0[4], double);
        Wide([
            _mm512_madd52lo_epu64(low[0], over, _mm512_set1_epi64(19)),
            _mm512_madd52hi_epu64(low[1], x.0[0], double),
            _mm512_madd52hi_epu64(low[2], x.0[1], double),
            _mm512_madd52hi_epu64(low[3], x.0[2], double),
            _mm512_madd52hi_epu64(low[4], x.0[3], double),
        ])
    }
}

impl Field {
    /// The same small number in every lane.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub fn small(value: u32) -> Self {
        let mut limbs = [_mm512_setzero_si512(); 5];
        limbs[0] = _mm512_set1_epi64(i64::from(value));
        Field(limbs)
    }

    /// An element for each lane.
    #[target_feature(enable = "avx512f")]
    pub fn from_bytes(lanes: &[[u8; 32]; LANES]) -> Self {
        let lanes = lanes.each_ref().map(portable::limbs);
        Field(limbwise!(|limb| {
            let [a, b, c, d, e, f, g, h] = lanes.map(|lane| lane[limb] as i64);
            _mm512_set_epi64(h, g, f, e, d, c, b, a)
        }))
    }

    /// The canonical encoding of each lane.
    #[target_feature(enable = "avx512f,avx2")]
    pub fn to_bytes(self) -> [[u8; 32]; LANES] {
        let limbs = limbwise!(|limb| lanes(self.0[limb]));
        std::array::from_fn(|lane| portable::canonical(limbs.map(|limb| limb[lane])))
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    pub fn wide(&self) -> Wide {
        Wide(self.0)
    }

    /// Product.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    #[inline]
    pub fn mul(&self, other: &Field) -> Wide {
        let ([a, b, c, d, e], [v, w, x, y, z]) = (self.0, other.0);
        let zero = _mm512_setzero_si512();
        let high = [
            hi!(zero, (a, v)),
            hi!(zero, (a, w), (b, v)),
            hi!(zero, (a, x), (b, w), (c, v)),
            hi!(zero, (a, y), (b, x), (c, w), (d, v)),
            hi!(zero, (a, z), (b, y), (c, x), (d, w), (e, v)),
            hi!(zero, (b, z), (c, y), (d, x), (e, w)),
            hi!(zero, (c, z), (d, y), (e, x)),
            hi!(zero, (d, z), (e, y)),
            hi!(zero, (e, z)),
        ];
        fold([
            lo!(zero, (a, v)),
            _mm512_add_epi64(twice(high[0]), lo!(zero, (a, w), (b, v))),
            _mm512_add_epi64(twice(high[1]), lo!(zero, (a, x), (b, w), (c, v))),
            _mm512_add_epi64(twice(high[2]), lo!(zero, (a, y), (b, x), (c, w), (d, v))),
            _mm512_add_epi64(twice(high[3]), lo!(zero, (a, z), (b, y), (c, x), (d, w), (e, v))),
            _mm512_add_epi64(twice(high[4]), lo!(zero, (b, z), (c, y), (d, x), (e, w))),
            _mm512_add_epi64(twice(high[5]), lo!(zero, (c, z), (d, y), (e, x))),
            _mm512_add_epi64(twice(high[6]), lo!(zero, (d, z), (e, y))),
            _mm512_add_epi64(twice(high[7]), lo!(zero, (e, z))),
            twice(high[8]),
        ])
    }

    /// Square: products of two different limbs are made once, and doubled.
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    #[inline]
    pub fn square(&self) -> Wide {
        let [a, b, c, d, e] = self.0;
        let zero = _mm512_setzero_si512();
        let high = [
            hi!(zero, (a, a)),
            twice(hi!(zero, (a, b))),
            hi!(twice(hi!(zero, (a, c))), (b, b)),
            twice(hi!(zero, (a, d), (b, c))),
            hi!(twice(hi!(zero, (a, e), (b, d))), (c, c)),
            twice(hi!(zero, (b, e), (c, d))),
            hi!(twice(hi!(zero, (c, e))), (d, d)),
            twice(hi!(zero, (d, e))),
            hi!(zero, (e, e)),
        ];
        fold([
            lo!(zero, (a, a)),
            twice(lo!(high[0], (a, b))),
            lo!(twice(lo!(high[1], (a, c))), (b, b)),
            twice(lo!(high[2], (a, d), (b, c))),
            lo!(twice(lo!(high[3], (a, e), (b, d))), (c, c)),
            twice(lo!(high[4], (b, e), (c, d))),
            lo!(twice(lo!(high[5], (c, e))), (d, d)),
            twice(lo!(high[6], (d, e))),
            lo!(twice(high[7]), (e, e)),
            twice(high[8]),
        ])
    }

    /// `yes` where the choice is on, else `no`.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub fn select(choice: Choice, yes: &Field, no: &Field) -> Field {
        Field(limbwise!(|limb| _mm512_mask_blend_epi64(choice.0, no.0[limb], yes.0[limb])))
    }
}

impl Choice {
    /// The same for every lane: 0 or 1.
    #[inline]
    pub fn all(bit: u8) -> Self {
        Choice(bit.wrapping_neg())
    }

    /// One for each lane: 0 or 1.
    #[inline]
    pub fn each(bits: [u8; LANES]) -> Self {
        Choice(bits.iter().rev().fold(0, |mask, bit| mask << 1 | bit))
    }
}

#[target_feature(enable = "avx512f,avx2")]
#[inline]
pub(super) fn lanes(v: V) -> [u64; LANES] {
    let (low, high) = (_mm512_extracti64x4_epi64::<0>(v), _mm512_extracti64x4_epi64::<1>(v));
    [
        _mm256_extract_epi64::<0>(low) as u64,
        _mm256_extract_epi64::<1>(low) as u64,
        _mm256_extract_epi64::<2>(low) as u64,
        _mm256_extract_epi64::<3>(low) as u64,
        _mm256_extract_epi64::<0>(high) as u64,
        _mm256_extract_epi64::<1>(high) as u64,
        _mm256_extract_epi64::<2>(high) as u64,
        _mm256_extract_epi64::<3>(high) as u64,
    ]
}
