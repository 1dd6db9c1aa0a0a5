//! Secret scalars: multiples of 8, and their inverses.
#![forbid(unsafe_code)]

use super::ROW_BYTES;
use crate::errors::{Error, Result};
use curve25519_dalek::scalar::{clamp_integer, Scalar as Residue};
use std::ops::Deref;
use zeroize::Zeroizing;

/// A multiple of 8 below 2^255, and not of the subgroup's order. Wiped when dropped.
pub struct Scalar(Zeroizing<[u8; ROW_BYTES]>);

impl Scalar {
    /// What RFC 7748 makes of 32 bytes, given or of the operating system: bits 0 to 2 and 255 cleared, bit 254
    /// set. Any of 2^251 different residues, all of them units.
    pub fn draw(given: Option<&[u8; ROW_BYTES]>) -> Result<Self> {
        let mut bytes = Zeroizing::new([0; ROW_BYTES]);
        match given {
            Some(given) => bytes.copy_from_slice(given),
            None => getrandom::fill(&mut *bytes).map_err(|error| {
                Error::Randomness(format!("the operating system gives no randomness: {error}"))
            })?,
        }
        Ok(Self(Zeroizing::new(clamp_integer(*bytes))))
    }

    /// The scalar that takes a product back to the point, where that lay in the large subgroup.
    ///
    /// Up to sign, which the first coordinate does not tell: of `8m` and `8(l - m)` one is below 2^255.
    pub fn inverse(&self) -> Self {
        let own = Zeroizing::new(Residue::from_bytes_mod_order(*self.0));
        let eighth = Zeroizing::new((*own * Residue::from(8u8)).invert());
        let negative = Zeroizing::new((-*eighth).to_bytes());
        // Twice a residue is odd if it passed the order, which is odd: then the residue is the larger one.
        let larger = ((*eighth + *eighth).to_bytes()[0] & 1).wrapping_neg();
        let positive = Zeroizing::new(eighth.to_bytes());
        let mut bytes = Zeroizing::new([0; ROW_BYTES]);
        let mut before = 0;
        for (at, byte) in bytes.iter_mut().enumerate() {
            let least = positive[at] ^ larger & (positive[at] ^ negative[at]);
            *byte = least << 3 | before >> 5;
            before = least;
        }
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8; ROW_BYTES] {
        self.0.deref()
    }
}
