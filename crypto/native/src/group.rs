//! ristretto255 (RFC 9496): hashing to the group and to scalars, decoding and encoding of packed rows.
#![forbid(unsafe_code)]

use crate::batch::{Backend, Points};
use crate::errors::{Error, Result};
use crate::rows::Items;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use rayon::prelude::*;
use sha2::{Digest, Sha512};
use std::ops::Range;
use zeroize::Zeroizing;

/// Bytes of an encoded element.
pub const ELEMENT_BYTES: usize = 32;
/// Bytes of an encoded scalar.
pub const SCALAR_BYTES: usize = 32;
/// Bytes of randomness that a scalar is reduced from: the bias is below 2^-250.
pub const WIDE_BYTES: usize = 64;
/// Items that one task works through: enough to amortise an inversion, few enough to stay in the L2 cache.
pub const CHUNK: usize = 256;

/// `expand_message_xmd` with SHA-512 for 64 bytes (RFC 9380, section 5.3.1), for one domain separation tag.
///
/// The first block hashed is 128 zero bytes whatever the message, so its state is kept: it is a third of the
/// work for a short message.
#[derive(Clone)]
pub struct Expander {
    padded: Sha512,
    dst_prime: Vec<u8>,
}

impl Expander {
    /// The expander for the tag that `parts` concatenate to; at most 255 bytes.
    pub fn new(parts: &[&[u8]]) -> Result<Self> {
        let mut dst_prime = parts.concat();
        let length = u8::try_from(dst_prime.len())
            .map_err(|_| Error::Parameter("a domain separation tag has at most 255 bytes".into()))?;
        dst_prime.push(length);
        let mut padded = Sha512::new();
        padded.update([0; 128]);
        Ok(Self { padded, dst_prime })
    }

    /// 64 uniform bytes from the message that `parts` concatenate to.
    pub fn expand(&self, parts: &[&[u8]]) -> [u8; WIDE_BYTES] {
        let mut outer = self.padded.clone();
        parts.iter().for_each(|part| outer.update(part));
        outer.update([0, WIDE_BYTES as u8, 0]); // l_i_b_str, then I2OSP(0, 1)
        outer.update(&self.dst_prime);
        let b0 = outer.finalize();
        let mut first = Sha512::new(); // one SHA-512 output is all that is asked for: ell = 1
        first.update(b0);
        first.update([1]);
        first.update(&self.dst_prime);
        first.finalize().into()
    }

    /// `hash_to_ristretto255` of the items in a range; the identity is refused (RFC 9497:
    /// `InvalidInputError`).
    pub fn points(&self, backend: Backend, items: &Items<'_>, range: Range<usize>) -> Result<Points> {
        let uniform = range.clone().map(|index| self.expand(&[items.get(index)]));
        let uniform: Zeroizing<Vec<_>> = Zeroizing::new(uniform.collect());
        let points = backend.hash(&uniform);
        match points.identity() {
            Some(at) => {
                Err(Error::Parameter(format!("row {} hashes to the identity element", range.start + at)))
            }
            None => Ok(points),
        }
    }

    /// `HashToScalar` of RFC 9497, section 4.1.
    pub fn scalar(&self, parts: &[&[u8]]) -> Scalar {
        Scalar::from_bytes_mod_order_wide(&Zeroizing::new(self.expand(parts)))
    }
}

/// Hash every item to the group and encode it. `n * 32` bytes.
pub fn hash_to_group(backend: Backend, items: &Items<'_>, dst: &[u8]) -> Result<Vec<u8>> {
    let expander = Expander::new(&[dst])?;
    let mut out = vec![0; items.len() * ELEMENT_BYTES];
    for_each_chunk(&mut out, ELEMENT_BYTES, |range, out| {
        expander.points(backend, items, range)?.encode(out);
        Ok(())
    })?;
    Ok(out)
}

/// Accept exactly the canonical encodings of elements other than the identity.
pub fn validate(backend: Backend, rows: &[u8]) -> Result<()> {
    rows.par_chunks(CHUNK * ELEMENT_BYTES)
        .enumerate()
        .try_for_each(|(chunk, rows)| backend.decode(rows, chunk * CHUNK).map(drop))
}

/// Decode a public key that a peer announced.
pub fn decode_public_key(bytes: &[u8]) -> Result<RistrettoPoint> {
    CompressedRistretto::from_slice(bytes)
        .ok()
        .filter(|encoded| *encoded != CompressedRistretto::identity())
        .and_then(|encoded| encoded.decompress())
        .ok_or_else(|| Error::Decode("the public key is no valid ristretto255 element".into()))
}

/// Run `work(indices, rows)` over chunks of an output table, on all cores.
pub fn for_each_chunk<F>(out: &mut [u8], width: usize, work: F) -> Result<()>
where
    F: Fn(Range<usize>, &mut [u8]) -> Result<()> + Sync,
{
    out.par_chunks_mut(CHUNK * width).enumerate().try_for_each(|(chunk, rows)| {
        let start = chunk * CHUNK;
        work(start..start + rows.len() / width, rows)
    })
}
