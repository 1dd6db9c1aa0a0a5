//! Vectors of three polynomials over Z_3329: the `t` of an ML-KEM-768 public key, which is what a base OT
//! masks (FIPS 203, sections 4.2.1 and 7.2).
//!
//! They are kept in the transform that FIPS 203 sends them in, where addition and uniformity are the same.
#![forbid(unsafe_code)]

use blake3::OutputReader;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Coefficients of a vector: three times 256.
const LENGTH: usize = 768;
/// The modulus q.
const Q: u16 = 3329;
/// Bytes of an encoded vector: `ByteEncode_12`.
pub const VECTOR_BYTES: usize = LENGTH / 2 * 3;
/// Twelve-bit draws that a vector is sampled from. Fewer than 768 of them are below q with chance 2^-158.
const DRAWS: usize = 1216;
const DRAWN_BYTES: usize = DRAWS / 2 * 3;
/// Bits of the longest shift in a sample that succeeds: at most 448 draws are passed over.
const SHIFT_BITS: u32 = 9;

/// A vector of the module. Wiped when dropped: some are a step away from telling the choice.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Vector([u16; LENGTH]);

impl Vector {
    /// Read an encoding; none if a coefficient is not below q (the modulus check of section 7.2).
    pub fn decode(bytes: &[u8; VECTOR_BYTES]) -> Option<Self> {
        let mut vector = Vector([0; LENGTH]);
        unpack(bytes, &mut vector.0);
        vector.0.iter().all(|coefficient| *coefficient < Q).then_some(vector)
    }

    /// `ByteEncode_12`.
    pub fn encode(&self, out: &mut [u8]) {
        for (three, pair) in out.chunks_exact_mut(3).zip(self.0.chunks_exact(2)) {
            let both = u32::from(pair[0]) | u32::from(pair[1]) << 12;
            three.copy_from_slice(&both.to_le_bytes()[..3]);
        }
    }

    /// A uniform vector: the first 768 of the draws below q, in their order.
    ///
    /// In constant time, unlike `SampleNTT` of FIPS 203: the peer knows both vectors that a receiver may have
    /// sampled, so the time that one takes would tell which it was. The draws below q move together in rounds
    /// of a power of two each, a fixed network; the smallest power first, so that no two collide.
    pub fn sample(stream: &mut OutputReader) -> Self {
        let mut bytes = [0; DRAWN_BYTES];
        stream.fill(&mut bytes);
        let (mut draws, mut shifts) = ([0u16; DRAWS], [0u16; DRAWS]);
        unpack(&bytes, &mut draws);
        let mut passed = 0u16;
        for (draw, shift) in draws.iter_mut().zip(&mut shifts) {
            let keep = mask(u16::from(*draw < Q));
            (*draw, *shift) = (*draw & keep, passed & keep);
            passed += 1 & !keep;
        }
        for bit in 0..SHIFT_BITS {
            let before = shifts;
            round(&mut draws, &before, bit);
            round(&mut shifts, &before, bit);
        }
        let mut vector = Vector([0; LENGTH]);
        vector.0.copy_from_slice(&draws[..LENGTH]);
        bytes.zeroize();
        draws.zeroize();
        shifts.zeroize();
        vector
    }

    /// The sum.
    pub fn plus(&self, other: &Self) -> Self {
        self.combine(other, |a, b| reduce(a + b))
    }

    /// The difference.
    pub fn minus(&self, other: &Self) -> Self {
        self.combine(other, |a, b| reduce(a + Q - b))
    }

    fn combine(&self, other: &Self, operation: impl Fn(u16, u16) -> u16) -> Self {
        Vector(std::array::from_fn(|at| operation(self.0[at], other.0[at])))
    }
}

/// One round of moving together: whatever has the bit in its shift goes that far down.
fn round(values: &mut [u16; DRAWS], shifts: &[u16; DRAWS], bit: u32) {
    let step = 1usize << bit;
    let moves = |at: usize| mask(shifts[at] >> bit & 1);
    for at in 0..DRAWS - step {
        values[at] = values[at] & !moves(at) | values[at + step] & moves(at + step);
    }
    for (at, value) in values.iter_mut().enumerate().skip(DRAWS - step) {
        *value &= !moves(at);
    }
}

/// Twelve-bit numbers out of three bytes a pair.
fn unpack(bytes: &[u8], out: &mut [u16]) {
    for (three, pair) in bytes.chunks_exact(3).zip(out.chunks_exact_mut(2)) {
        let [a, b, c] = [three[0], three[1], three[2]].map(u16::from);
        (pair[0], pair[1]) = (a | (b & 15) << 8, b >> 4 | c << 4);
    }
}

/// All ones for one, all zeros for zero.
fn mask(bit: u16) -> u16 {
    0u16.wrapping_sub(bit)
}

/// A number below 2q modulo q.
fn reduce(value: u16) -> u16 {
    let less = value.wrapping_sub(Q);
    less.wrapping_add(Q & mask(less >> 15))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(seed: u8) -> OutputReader {
        blake3::Hasher::new().update(&[seed]).finalize_xof()
    }

    /// Sampling as one would write it first.
    fn sample_slowly(stream: &mut OutputReader) -> Vec<u16> {
        let mut bytes = [0; DRAWN_BYTES];
        stream.fill(&mut bytes);
        let mut draws = [0; DRAWS];
        unpack(&bytes, &mut draws);
        draws.into_iter().filter(|draw| *draw < Q).take(LENGTH).collect()
    }

    #[test]
    fn the_network_keeps_the_draws_below_q_in_order() {
        for seed in 0..40 {
            assert_eq!(Vector::sample(&mut stream(seed)).0.to_vec(), sample_slowly(&mut stream(seed)));
        }
    }

    #[test]
    fn samples_are_uniform_below_q() {
        let (mut sum, mut high) = (0u64, 0);
        for seed in 0..200u8 {
            let vector = Vector::sample(&mut stream(seed));
            assert!(vector.0.iter().all(|coefficient| *coefficient < Q));
            sum += vector.0.iter().map(|coefficient| u64::from(*coefficient)).sum::<u64>();
            high += vector.0.iter().filter(|coefficient| **coefficient >= Q - 100).count();
        }
        let count = 200.0 * LENGTH as f64;
        // Six standard deviations either way.
        assert!((sum as f64 / count - 1664.0).abs() < 6.0 * 961.0 / count.sqrt());
        assert!((high as f64 - count * 100.0 / 3329.0).abs() < 6.0 * (count * 0.03).sqrt());
    }

    #[test]
    fn encodings_are_read_back_and_checked() {
        let (a, b) = (Vector::sample(&mut stream(1)), Vector::sample(&mut stream(2)));
        let mut bytes = [0; VECTOR_BYTES];
        a.plus(&b).encode(&mut bytes);
        let sum = Vector::decode(&bytes).unwrap();
        assert_eq!(sum.minus(&b).0, a.0);
        for (at, coefficient) in sum.0.iter().enumerate() {
            assert_eq!(u32::from(*coefficient), (u32::from(a.0[at]) + u32::from(b.0[at])) % u32::from(Q));
        }
        bytes[..2].copy_from_slice(&Q.to_le_bytes());
        assert!(Vector::decode(&bytes).is_none());
        bytes[..2].copy_from_slice(&(Q - 1).to_le_bytes());
        assert!(Vector::decode(&bytes).is_some());
    }
}
