//! One element of GF(2^255 - 19): five limbs of 51 bits, for any machine.
//!
//! Bounds. Limbs of `Field` are below 2^51 + 2^13. Limbs of `Wide` are 128 bits that nothing has carried: a
//! product is below 2^110, and a difference adds 2^60 p, whose limbs are above that.
#![forbid(unsafe_code)]

use zeroize::Zeroize;

pub const LANES: usize = 1;
const LIMB: u64 = (1 << 51) - 1;
/// 2^60 p, limb by limb.
const P60: [u128; 5] = {
    let full = (LIMB as u128) << 60;
    [((LIMB - 18) as u128) << 60, full, full, full, full]
};

/// A reduced element.
#[derive(Clone, Copy, Zeroize)]
pub struct Field(pub(super) [u64; 5]);

/// An element that is not carried.
#[derive(Clone, Copy)]
pub struct Wide([u128; 5]);

/// All ones or all zeros.
#[derive(Clone, Copy)]
pub struct Choice(u64);

/// The limbs of 32 bytes, little endian, without the top bit.
pub fn limbs(bytes: &[u8; 32]) -> [u64; 5] {
    let word = |at: usize| std::array::from_fn(|byte| bytes[at + byte]);
    let [a, b, c, d] = [0, 8, 16, 24].map(|at| u64::from_le_bytes(word(at)));
    [a, a >> 51 | b << 13, b >> 38 | c << 26, c >> 25 | d << 39, d >> 12].map(|limb| limb & LIMB)
}

/// The canonical encoding of limbs below 2^52.
pub fn canonical(mut z: [u64; 5]) -> [u8; 32] {
    // Whether z + 19 passes 2^255 tells how often p is to be taken off: z is below 3 p.
    let over = |z: &[u64; 5], start| z.iter().fold(start, |carry, limb| (limb + carry) >> 51);
    for _ in 0..2 {
        let mut carry = 19 * over(&z, 19);
        for limb in &mut z {
            *limb += carry;
            carry = *limb >> 51;
            *limb &= LIMB; // what passes 2^255 is what was added too much
        }
    }
    let [a, b, c, d, e] = z;
    let mut bytes = [0; 32];
    let words = [a | b << 51, b >> 13 | c << 38, c >> 26 | d << 25, d >> 39 | e << 12];
    bytes.chunks_exact_mut(8).zip(words).for_each(|(bytes, word)| bytes.copy_from_slice(&word.to_le_bytes()));
    bytes
}

impl Wide {
    pub fn add(&self, other: &Wide) -> Wide {
        Wide(std::array::from_fn(|limb| self.0[limb] + other.0[limb]))
    }

    /// Difference; of two products.
    pub fn sub(&self, other: &Wide) -> Wide {
        Wide(std::array::from_fn(|limb| self.0[limb] + P60[limb] - other.0[limb]))
    }

    /// The same element, carried.
    pub fn narrow(&self) -> Field {
        let mut carry = 0;
        let mut z = self.0.map(|limb| {
            let limb = limb + carry;
            carry = limb >> 51;
            limb as u64 & LIMB
        });
        let low = u128::from(z[0]) + 19 * carry; // 2^255 = 19
        z[0] = low as u64 & LIMB;
        let next = u128::from(z[1]) + (low >> 51);
        z[1] = next as u64 & LIMB;
        z[2] += (next >> 51) as u64;
        Field(z)
    }

    /// Plus a small multiple of an element.
    pub fn add_multiple(&self, x: &Field, k: u32) -> Wide {
        Wide(std::array::from_fn(|limb| self.0[limb] + u128::from(x.0[limb]) * u128::from(k)))
    }
}

impl Field {
    pub fn small(value: u32) -> Self {
        Field([u64::from(value), 0, 0, 0, 0])
    }

    pub fn from_bytes(lanes: &[[u8; 32]; LANES]) -> Self {
        Field(limbs(&lanes[0]))
    }

    /// The canonical encoding.
    pub fn to_bytes(self) -> [[u8; 32]; LANES] {
        [canonical(self.0)]
    }

    pub fn wide(&self) -> Wide {
        Wide(self.0.map(u128::from))
    }

    /// Product.
    #[inline]
    pub fn mul(&self, other: &Field) -> Wide {
        let ([a, b, c, d, e], [v, w, x, y, z]) = (self.0, other.0);
        let [w19, x19, y19, z19] = [w, x, y, z].map(|limb| 19 * limb);
        let m = |x: u64, y: u64| u128::from(x) * u128::from(y);
        Wide([
            m(a, v) + m(b, z19) + m(c, y19) + m(d, x19) + m(e, w19),
            m(a, w) + m(b, v) + m(c, z19) + m(d, y19) + m(e, x19),
            m(a, x) + m(b, w) + m(c, v) + m(d, z19) + m(e, y19),
            m(a, y) + m(b, x) + m(c, w) + m(d, v) + m(e, z19),
            m(a, z) + m(b, y) + m(c, x) + m(d, w) + m(e, v),
        ])
    }

    /// Square.
    #[inline]
    pub fn square(&self) -> Wide {
        let [a, b, c, d, e] = self.0;
        let (a2, b2, c2, d19, e19) = (2 * a, 2 * b, 2 * c, 19 * d, 19 * e);
        let m = |x: u64, y: u64| u128::from(x) * u128::from(y);
        Wide([
            m(a, a) + m(b2, e19) + m(c2, d19),
            m(a2, b) + m(c2, e19) + m(d, d19),
            m(a2, c) + m(b, b) + m(2 * d, e19),
            m(a2, d) + m(b2, c) + m(e, e19),
            m(a2, e) + m(b2, d) + m(c, c),
        ])
    }

    /// `yes` where the choice is on, else `no`.
    pub fn select(choice: Choice, yes: &Field, no: &Field) -> Field {
        Field(std::array::from_fn(|limb| no.0[limb] ^ choice.0 & (no.0[limb] ^ yes.0[limb])))
    }
}

impl Choice {
    /// 0 or 1.
    pub fn all(bit: u8) -> Self {
        Choice(u64::from(bit).wrapping_neg())
    }

    /// One for each lane: 0 or 1.
    pub fn each([bit]: [u8; LANES]) -> Self {
        Self::all(bit)
    }
}
