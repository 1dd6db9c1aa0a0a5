//! Four elements of GF(2^255 - 19) at once, in the lanes of AVX2 registers.
//!
//! An element is ten limbs of 26 and 25 bits by turns, one register a limb. Nothing here branches or indexes
//! on values. The lanes never mix, so a lane computes what a scalar implementation would.
//!
//! Bounds. `reduced` limbs exceed their width by less than 2^18. `add` and `sub` do not carry: a sum of `k`
//! reduced terms has limbs below `k` times that, and a subtrahend counts with the multiple of p that keeps it
//! positive. `mul` takes up to nine terms left and three right, `square` three; both, like `carry`, return
//! reduced limbs.
#![forbid(unsafe_code)]

use std::arch::x86_64::*;
use zeroize::Zeroize;

/// One limb of four elements.
pub type V = __m256i;
/// Ten limbs of one element.
pub type Limbs = [u32; 10];

/// Four field elements.
#[derive(Clone, Copy, Zeroize)]
pub struct F4(pub [V; 10]);

/// For each lane all ones or all zeros.
#[derive(Clone, Copy, Zeroize)]
pub struct Mask(pub V);

/// 1.
pub const ONE: Limbs = [0x1, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0];
/// The curve's d = -121665/121666.
pub const D: Limbs = [
    0x35978a3, 0xd37284, 0x3156ebd, 0x6a0a0e, 0x1c029, 0x179e898, 0x3a03cbb, 0x1ce7198, 0x2e2b6ff, 0x1480db3,
];
/// 2d.
pub const D2: Limbs =
    [0x2b2f159, 0x1a6e509, 0x22add7a, 0xd4141d, 0x38052, 0xf3d130, 0x3407977, 0x19ce331, 0x1c56dff, 0x901b67];
/// A square root of -1.
pub const SQRT_M1: Limbs =
    [0x20ea0b0, 0x186c9d2, 0x8f189d, 0x35697f, 0xbd0c60, 0x1fbd7a7, 0x2804c9e, 0x1e16569, 0x4fc1d, 0xae0c92];
/// 1 / sqrt(-1 - d).
pub const INVSQRT_A_MINUS_D: Limbs =
    [0x5d40ea, 0x3f6aa0, 0x257d339, 0xbad20b, 0x274bc58, 0x1d840, 0x13dc8ff, 0x19442d8, 0x5cfaff, 0x1e1b224];
/// sqrt(-d - 1).
pub const SQRT_AD_MINUS_ONE: Limbs = [
    0x17b2e1b, 0x1fda812, 0x297afd2, 0x60dbc2, 0x2be7638, 0x1f5d1fd, 0x27e6498, 0x11581e7, 0x3f2b834,
    0xdda4c6,
];
/// 1 - d^2.
pub const ONE_MINUS_D_SQ: Limbs =
    [0x5fc176, 0x1027065, 0x2a1fc4f, 0x1c66af1, 0xb20684, 0x70dfe4, 0x255eedf, 0x1af332, 0x28b2b3e, 0xa41ca];
/// (d - 1)^2.
pub const D_MINUS_ONE_SQ: Limbs = [
    0xed4d20, 0x156aa91, 0x3332635, 0x16580f0, 0x34a7928, 0x9b4eeb, 0x26997a9, 0x48299b, 0x3af66c2, 0x165a2cd,
];

/// Bit at which each limb starts.
const OFFSETS: [usize; 10] = [0, 26, 51, 77, 102, 128, 153, 179, 204, 230];

const fn width(limb: usize) -> usize {
    26 - limb % 2
}

/// `k` times p, limb by limb.
const fn multiple_of_p(k: u32) -> Limbs {
    let mut limbs = [0; 10];
    let mut at = 0;
    while at < 10 {
        limbs[at] = k * ((1 << width(at)) - 1);
        at += 1;
    }
    limbs[0] -= k * 18;
    limbs
}

const P2: Limbs = multiple_of_p(2);
const P4: Limbs = multiple_of_p(4);

/// The limbs of 32 bytes, little endian, without the top bit.
pub fn limbs_of(bytes: &[u8; 32]) -> Limbs {
    std::array::from_fn(|limb| {
        let (first, shift) = (OFFSETS[limb] / 8, OFFSETS[limb] % 8);
        let mut window = [0; 8];
        let length = (32 - first).min(8);
        window[..length].copy_from_slice(&bytes[first..first + length]);
        ((u64::from_le_bytes(window) >> shift) as u32) & ((1 << width(limb)) - 1)
    })
}

/// An element, limb by limb. A macro: closures would have to be inlined through code without AVX2.
macro_rules! limbwise {
    (|$limb:ident| $value:expr) => {
        F4(limbwise!(@ $limb $value, 0 1 2 3 4 5 6 7 8 9))
    };
    (@ $limb:ident $value:expr, $($at:literal)*) => {
        [$({ let $limb: usize = $at; $value }),*]
    };
}

macro_rules! dot {
    (($x0:expr, $y0:expr) $(, ($x:expr, $y:expr))*) => {{
        let sum = _mm256_mul_epu32($x0, $y0);
        $(let sum = _mm256_add_epi64(sum, _mm256_mul_epu32($x, $y));)*
        sum
    }};
}

/// Limbs times 19, by the 32-bit product: the compiler breaks a 64-bit product by a constant into three.
macro_rules! nineteen {
    ($($name:ident $limb:ident),*) => {$(let $name = _mm256_mullo_epi32($limb, _mm256_set1_epi32(19));)*};
}

/// Add one row of a schoolbook product; by rows, for ten sums and two factors fit the registers.
macro_rules! row {
    ($z:ident: $($x:ident $y:ident),*) => {
        row!(@ $z 0 1 2 3 4 5 6 7 8 9: $($x $y),*)
    };
    (@ $z:ident $($k:literal)*: $($x:ident $y:ident),*) => {
        $($z[$k] = _mm256_add_epi64($z[$k], _mm256_mul_epu32($x, $y));)*
    };
}

macro_rules! doubled {
    ($($name:ident $limb:ident),*) => {$(let $name = _mm256_add_epi64($limb, $limb);)*};
}

/// Carry from one limb into the next: `$z[$from]` keeps its width.
macro_rules! carry {
    ($z:ident, $($from:literal)*) => {$(
        let over = _mm256_srli_epi64::<{ width($from) as i32 }>($z[$from]);
        $z[$from] = _mm256_and_si256($z[$from], _mm256_set1_epi64x((1 << width($from)) - 1));
        // 2^255 = 19: what leaves the top comes back at the bottom; shifts, for it may exceed 32 bits.
        let over = if $from == 9 { times_19(over) } else { over };
        $z[($from + 1) % 10] = _mm256_add_epi64($z[($from + 1) % 10], over);
    )*};
}

#[target_feature(enable = "avx2")]
#[inline]
fn times_19(x: V) -> V {
    _mm256_add_epi64(_mm256_add_epi64(_mm256_slli_epi64::<4>(x), _mm256_slli_epi64::<1>(x)), x)
}

#[target_feature(enable = "avx2")]
#[inline]
fn reduce(mut z: [V; 10]) -> F4 {
    carry!(z, 0 4 1 5 2 6 3 7 4 8 9 0); // two chains, which overlap in time
    carry!(z, 5);
    F4(z)
}

impl F4 {
    /// The same element in every lane.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn splat(limbs: &Limbs) -> Self {
        limbwise!(|limb| _mm256_set1_epi64x(i64::from(limbs[limb])))
    }

    /// An element for each lane.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn from_lanes(lanes: &[Limbs; 4]) -> Self {
        limbwise!(|limb| {
            let [a, b, c, d] = lanes.map(|lane| i64::from(lane[limb]));
            _mm256_set_epi64x(d, c, b, a)
        })
    }

    /// The limbs of each lane; of reduced elements.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn lanes(&self) -> [Limbs; 4] {
        let limbs = self.0.map(|limb| lanes(limb));
        std::array::from_fn(|lane| limbs.map(|limb| limb[lane] as u32))
    }

    /// The canonical encoding of each lane.
    #[target_feature(enable = "avx2")]
    pub fn to_bytes(self) -> [[u8; 32]; 4] {
        self.freeze().lanes().map(|limbs| {
            let mut words = [0u64; 5]; // one more than 255 bits need, so that a limb may reach over
            for (limb, &offset) in limbs.iter().zip(&OFFSETS) {
                let wide = u128::from(*limb) << (offset % 64);
                words[offset / 64] |= wide as u64;
                words[offset / 64 + 1] |= (wide >> 64) as u64;
            }
            let mut bytes = [0; 32];
            for (bytes, word) in bytes.chunks_exact_mut(8).zip(words) {
                bytes.copy_from_slice(&word.to_le_bytes());
            }
            bytes
        })
    }

    /// Sum, not carried.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn add(&self, other: &F4) -> F4 {
        limbwise!(|limb| _mm256_add_epi64(self.0[limb], other.0[limb]))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn sub_from_multiple(&self, multiple: &Limbs, other: &F4) -> F4 {
        limbwise!(|limb| {
            let raised = _mm256_add_epi64(self.0[limb], _mm256_set1_epi64x(i64::from(multiple[limb])));
            _mm256_sub_epi64(raised, other.0[limb])
        })
    }

    /// Difference, not carried; `other` is reduced and counts as two terms.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn sub(&self, other: &F4) -> F4 {
        self.sub_from_multiple(&P2, other)
    }

    /// Difference, not carried; `other` has up to three terms and counts as four.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn sub_sum(&self, other: &F4) -> F4 {
        self.sub_from_multiple(&P4, other)
    }

    /// Negation of a reduced element, not carried; two terms.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn neg(&self) -> F4 {
        F4::splat(&[0; 10]).sub(self)
    }

    /// The same element with reduced limbs.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn carry(self) -> F4 {
        reduce(self.0)
    }

    /// Product; up to nine terms left, three right.
    #[target_feature(enable = "avx2")]
    pub fn mul(&self, other: &F4) -> F4 {
        let [x0, x1, x2, x3, x4, x5, x6, x7, x8, x9] = self.0;
        let [y0, y1, y2, y3, y4, y5, y6, y7, y8, y9] = other.0;
        nineteen!(n1 y1, n2 y2, n3 y3, n4 y4, n5 y5, n6 y6, n7 y7, n8 y8, n9 y9);
        // Two odd limbs stand half a bit below their product's place, each.
        doubled!(d1 x1, d3 x3, d5 x5, d7 x7, d9 x9);
        let mut z = [
            _mm256_mul_epu32(x0, y0),
            _mm256_mul_epu32(x0, y1),
            _mm256_mul_epu32(x0, y2),
            _mm256_mul_epu32(x0, y3),
            _mm256_mul_epu32(x0, y4),
            _mm256_mul_epu32(x0, y5),
            _mm256_mul_epu32(x0, y6),
            _mm256_mul_epu32(x0, y7),
            _mm256_mul_epu32(x0, y8),
            _mm256_mul_epu32(x0, y9),
        ];
        row!(z: d1 n9, x1 y0, d1 y1, x1 y2, d1 y3, x1 y4, d1 y5, x1 y6, d1 y7, x1 y8);
        row!(z: x2 n8, x2 n9, x2 y0, x2 y1, x2 y2, x2 y3, x2 y4, x2 y5, x2 y6, x2 y7);
        row!(z: d3 n7, x3 n8, d3 n9, x3 y0, d3 y1, x3 y2, d3 y3, x3 y4, d3 y5, x3 y6);
        row!(z: x4 n6, x4 n7, x4 n8, x4 n9, x4 y0, x4 y1, x4 y2, x4 y3, x4 y4, x4 y5);
        row!(z: d5 n5, x5 n6, d5 n7, x5 n8, d5 n9, x5 y0, d5 y1, x5 y2, d5 y3, x5 y4);
        row!(z: x6 n4, x6 n5, x6 n6, x6 n7, x6 n8, x6 n9, x6 y0, x6 y1, x6 y2, x6 y3);
        row!(z: d7 n3, x7 n4, d7 n5, x7 n6, d7 n7, x7 n8, d7 n9, x7 y0, d7 y1, x7 y2);
        row!(z: x8 n2, x8 n3, x8 n4, x8 n5, x8 n6, x8 n7, x8 n8, x8 n9, x8 y0, x8 y1);
        row!(z: d9 n1, x9 n2, d9 n3, x9 n4, d9 n5, x9 n6, d9 n7, x9 n8, d9 n9, x9 y0);
        reduce(z)
    }

    /// Square; up to three terms.
    #[target_feature(enable = "avx2")]
    pub fn square(&self) -> F4 {
        let [x0, x1, x2, x3, x4, x5, x6, x7, x8, x9] = self.0;
        nineteen!(n5 x5, n6 x6, n7 x7, n8 x8, n9 x9);
        doubled!(d0 x0, d1 x1, d2 x2, d3 x3, d4 x4, d5 x5, d6 x6, d7 x7, d8 x8, d9 x9);
        doubled!(q1 d1, q3 d3, q5 d5, q7 d7);
        reduce([
            dot!((x0, x0), (q1, n9), (d2, n8), (q3, n7), (d4, n6), (d5, n5)),
            dot!((d0, x1), (d2, n9), (d3, n8), (d4, n7), (d5, n6)),
            dot!((d0, x2), (d1, x1), (q3, n9), (d4, n8), (q5, n7), (x6, n6)),
            dot!((d0, x3), (d1, x2), (d4, n9), (d5, n8), (d6, n7)),
            dot!((d0, x4), (q1, x3), (x2, x2), (q5, n9), (d6, n8), (d7, n7)),
            dot!((d0, x5), (d1, x4), (d2, x3), (d6, n9), (d7, n8)),
            dot!((d0, x6), (q1, x5), (d2, x4), (d3, x3), (q7, n9), (x8, n8)),
            dot!((d0, x7), (d1, x6), (d2, x5), (d3, x4), (d8, n9)),
            dot!((d0, x8), (q1, x7), (d2, x6), (q3, x5), (x4, x4), (d9, n9)),
            dot!((d0, x9), (d1, x8), (d2, x7), (d3, x6), (d4, x5)),
        ])
    }

    /// The canonical representative; of up to nine terms.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn freeze(self) -> F4 {
        let mut z = self.carry().0;
        // Whether z + 19 passes 2^255, which is whether z is at least p.
        let mut q = _mm256_srli_epi64::<26>(_mm256_add_epi64(z[0], _mm256_set1_epi64x(19)));
        for pair in 0..4 {
            q = _mm256_srli_epi64::<25>(_mm256_add_epi64(z[2 * pair + 1], q));
            q = _mm256_srli_epi64::<26>(_mm256_add_epi64(z[2 * pair + 2], q));
        }
        q = _mm256_srli_epi64::<25>(_mm256_add_epi64(z[9], q));
        z[0] = _mm256_add_epi64(z[0], times_19(q));
        carry!(z, 0 1 2 3 4 5 6 7 8);
        z[9] = _mm256_and_si256(z[9], _mm256_set1_epi64x((1 << 25) - 1));
        F4(z)
    }

    /// Whether the canonical representative is odd (RFC 9496's sign).
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn is_negative(&self) -> Mask {
        let bit = _mm256_and_si256(self.freeze().0[0], _mm256_set1_epi64x(1));
        Mask(_mm256_sub_epi64(_mm256_setzero_si256(), bit))
    }

    /// Whether it is zero.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn is_zero(&self) -> Mask {
        let limbs = self.freeze().0;
        let any = limbs.into_iter().reduce(|a, b| _mm256_or_si256(a, b)).unwrap_or(_mm256_setzero_si256());
        Mask(_mm256_cmpeq_epi64(any, _mm256_setzero_si256()))
    }

    /// Whether both are the same element; `other` reduced.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn equals(&self, other: &F4) -> Mask {
        self.sub(other).is_zero()
    }

    /// `yes` where the mask is on, else `no`.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn select(mask: Mask, yes: &F4, no: &F4) -> F4 {
        limbwise!(|limb| _mm256_blendv_epi8(no.0[limb], yes.0[limb], mask.0))
    }

    /// The negative where the mask is on; of a reduced element, two terms.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn negate_where(&self, mask: Mask) -> F4 {
        F4::select(mask, &self.neg(), self)
    }

    /// Of an element and its negative the one that is not negative; reduced.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn absolute(&self) -> F4 {
        self.negate_where(self.is_negative()).carry()
    }
}

impl Mask {
    /// On where either is.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn or(self, other: Mask) -> Mask {
        Mask(_mm256_or_si256(self.0, other.0))
    }

    /// The lanes as flags.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub fn flags(self) -> [bool; 4] {
        lanes(self.0).map(|lane| lane != 0)
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn lanes(v: V) -> [u64; 4] {
    [
        _mm256_extract_epi64::<0>(v) as u64,
        _mm256_extract_epi64::<1>(v) as u64,
        _mm256_extract_epi64::<2>(v) as u64,
        _mm256_extract_epi64::<3>(v) as u64,
    ]
}
