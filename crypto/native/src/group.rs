//! ristretto255 (RFC 9496): hashing to the group and to scalars, decoding and encoding of packed rows.
#![forbid(unsafe_code)]

use crate::errors::{Error, Result};
use crate::rows::Items;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, IsIdentity};
use rayon::prelude::*;
use sha2::{Digest, Sha512};

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
    /// The expander for the tag that `parts` concatenate to; at most 255 bytes, which Python checks.
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

    /// `hash_to_ristretto255`.
    pub fn point(&self, message: &[u8]) -> RistrettoPoint {
        RistrettoPoint::from_uniform_bytes(&self.expand(&[message]))
    }

    /// `HashToScalar` of RFC 9497, section 4.1.
    pub fn scalar(&self, parts: &[&[u8]]) -> Scalar {
        Scalar::from_bytes_mod_order_wide(&self.expand(parts))
    }
}

/// Hash every item to the group and encode it. `n * 32` bytes.
pub fn hash_to_group(items: &Items<'_>, dst: &[u8]) -> Result<Vec<u8>> {
    let expander = Expander::new(&[dst])?;
    let mut out = vec![0; items.len() * ELEMENT_BYTES];
    for_each_chunk(&mut out, ELEMENT_BYTES, |range, out| {
        for (index, row) in range.zip(out.chunks_exact_mut(ELEMENT_BYTES)) {
            row.copy_from_slice(expander.point(items.get(index)).compress().as_bytes());
        }
        Ok(())
    })?;
    Ok(out)
}

/// Accept exactly the canonical encodings of elements other than the identity.
pub fn validate(rows: &[u8]) -> Result<()> {
    rows.par_chunks(CHUNK * ELEMENT_BYTES).enumerate().try_for_each(|(chunk, rows)| {
        for (offset, row) in rows.chunks_exact(ELEMENT_BYTES).enumerate() {
            decode(row, chunk * CHUNK + offset)?;
        }
        Ok(())
    })
}

/// Decode one element that a peer sent; `index` is its row, for the message.
pub fn decode(row: &[u8], index: usize) -> Result<RistrettoPoint> {
    let point = CompressedRistretto::from_slice(row)
        .ok()
        .and_then(|encoded| encoded.decompress())
        .ok_or_else(|| Error::Decode(format!("row {index} is no canonical ristretto255 encoding")))?;
    // The encoding is unique: comparing 32 bytes is cheaper than asking the point.
    if row == CompressedRistretto::identity().as_bytes() {
        return Err(Error::Decode(format!("row {index} is the identity element")));
    }
    Ok(point)
}

/// Decode a public key that a peer announced.
pub fn decode_public_key(bytes: &[u8]) -> Result<RistrettoPoint> {
    decode(bytes, 0).map_err(|_| Error::Decode("the public key is no valid ristretto255 element".into()))
}

/// Hash an item of our own to the group; the identity has no blinding (RFC 9497: `InvalidInputError`).
pub fn hash_own(expander: &Expander, item: &[u8], index: usize) -> Result<RistrettoPoint> {
    let point = expander.point(item);
    if point.is_identity() {
        return Err(Error::Parameter(format!("row {index} hashes to the identity element")));
    }
    Ok(point)
}

/// Encode the doubles of points into rows: one inversion for all, where plain encoding needs a root for each.
pub fn encode_doubles(points: &[RistrettoPoint], out: &mut [u8]) {
    let encoded = RistrettoPoint::double_and_compress_batch(points);
    for (row, element) in out.chunks_exact_mut(ELEMENT_BYTES).zip(encoded) {
        row.copy_from_slice(element.as_bytes());
    }
}

/// Run `work(indices, rows)` over chunks of an output table, on all cores.
pub fn for_each_chunk<F>(out: &mut [u8], width: usize, work: F) -> Result<()>
where
    F: Fn(std::ops::Range<usize>, &mut [u8]) -> Result<()> + Sync,
{
    out.par_chunks_mut(CHUNK * width).enumerate().try_for_each(|(chunk, rows)| {
        let start = chunk * CHUNK;
        work(start..start + rows.len() / width, rows)
    })
}
