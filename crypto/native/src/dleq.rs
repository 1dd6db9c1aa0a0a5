//! Proofs that two pairs of elements share one discrete logarithm (RFC 9497, section 2.2).
//!
//! `Statement` is the RFC's: one proof for a batch, with its composites. The RFC weighs pair `i` by a hash of
//! pair `i` alone, which has two consequences for large batches. Indices are two bytes. And whoever chooses
//! the evaluated elements can search for weights that cancel wrong ones out, a generalised birthday problem
//! (Wagner, CRYPTO 2002) of about `m * 2^(252 / (1 + log2 m))` hashes for `m` pairs: out of reach for the
//! handful the RFC had in mind, near 2^31 for thousands. `fold` is for those: weights that depend on every
//! pair reduce the batch to one pair, and the RFC's proof speaks about that one.
#![forbid(unsafe_code)]

use crate::batch::Backend;
use crate::errors::{Error, Result};
use crate::group::{Expander, CHUNK, ELEMENT_BYTES, SCALAR_BYTES};
use crate::hashing;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, VartimeMultiscalarMul};
use rayon::prelude::*;
use sha2::{Digest, Sha512};

/// Bytes of a proof: the challenge and the response.
pub const PROOF_BYTES: usize = 2 * SCALAR_BYTES;
/// Pairs that one RFC proof can index.
pub const MAX_PAIRS: usize = 1 << 16;
/// Points that one task sums: enough to amortise its buckets, few enough for the cache.
const MSM_CHUNK: std::ops::RangeInclusive<usize> = 512..=4096;
/// Bytes of a folding weight: a wrong element survives with probability 2^-128.
const WEIGHT_BYTES: usize = 16;

/// The sum of encoded elements, each times its weight. Variable time: elements and weights are public.
pub fn weighted_sum(backend: Backend, rows: &[u8], weights: &[Scalar]) -> Result<RistrettoPoint> {
    let share = weights.len().div_ceil(rayon::current_num_threads());
    let size = share.clamp(*MSM_CHUNK.start(), *MSM_CHUNK.end());
    rows.par_chunks(size * ELEMENT_BYTES)
        .zip(weights.par_chunks(size))
        .enumerate()
        .map(|(chunk, (rows, weights))| Ok(backend.decode(rows, chunk * size)?.weighted_sum(weights)))
        .try_reduce(RistrettoPoint::identity, |a, b| Ok(a + b))
}

/// What a proof is about: `public = key * base`, under the suite's context string.
pub struct Statement<'a> {
    /// The arithmetic.
    pub backend: Backend,
    /// `contextString` of RFC 9497.
    pub context: &'a [u8],
    /// `A`, the generator in the RFC's own use.
    pub base: RistrettoPoint,
    /// `B`.
    pub public: RistrettoPoint,
    /// `B`, encoded.
    pub public_row: [u8; ELEMENT_BYTES],
}

impl Statement<'_> {
    /// `GenerateProof` with the random scalar `r`: `evaluated = key * blinded`, row by row.
    pub fn prove(
        &self,
        key: &Scalar,
        r: &Scalar,
        blinded: &[u8],
        evaluated: &[u8],
    ) -> Result<[u8; PROOF_BYTES]> {
        let weights = self.composite_weights(blinded, evaluated)?;
        let m = weighted_sum(self.backend, blinded, &weights)?; // ComputeCompositesFast
        let z = m * key;
        let c = self.challenge(&[m, z, self.base * r, m * r])?;
        let s = r - c * key;
        let mut proof = [0; PROOF_BYTES];
        proof[..SCALAR_BYTES].copy_from_slice(c.as_bytes());
        proof[SCALAR_BYTES..].copy_from_slice(s.as_bytes());
        Ok(proof)
    }

    /// `VerifyProof`.
    pub fn verify(&self, blinded: &[u8], evaluated: &[u8], proof: &[u8; PROOF_BYTES]) -> Result<()> {
        let c = scalar(&proof[..SCALAR_BYTES])?;
        let s = scalar(&proof[SCALAR_BYTES..])?;
        let weights = self.composite_weights(blinded, evaluated)?;
        let m = weighted_sum(self.backend, blinded, &weights)?; // ComputeComposites
        let z = weighted_sum(self.backend, evaluated, &weights)?;
        let t2 = RistrettoPoint::vartime_multiscalar_mul([s, c], [self.base, self.public]);
        let t3 = RistrettoPoint::vartime_multiscalar_mul([s, c], [m, z]);
        if self.challenge(&[m, z, t2, t3])? != c {
            return Err(Error::Verification(
                "the peer's proof does not hold: it did not evaluate every element with the key it announced"
                    .into(),
            ));
        }
        Ok(())
    }

    /// The scalars `di` of `ComputeComposites`.
    fn composite_weights(&self, blinded: &[u8], evaluated: &[u8]) -> Result<Vec<Scalar>> {
        if blinded.len() / ELEMENT_BYTES > MAX_PAIRS {
            return Err(Error::Parameter(format!("an RFC 9497 proof covers at most {MAX_PAIRS} elements")));
        }
        let mut hash = Sha512::new();
        let seed_dst = [b"Seed-", self.context].concat();
        for part in [&self.public_row[..], &seed_dst] {
            hash.update((part.len() as u16).to_be_bytes());
            hash.update(part);
        }
        let seed = hash.finalize();
        let to_scalar = self.hash_to_scalar()?;
        let element = (ELEMENT_BYTES as u16).to_be_bytes();
        let seed_length = (seed.len() as u16).to_be_bytes();
        let pairs = blinded
            .par_chunks(ELEMENT_BYTES)
            .zip(evaluated.par_chunks(ELEMENT_BYTES))
            .with_min_len(CHUNK)
            .enumerate();
        let weight = |(i, (c, d)): (usize, (&[u8], &[u8]))| {
            let index = (i as u16).to_be_bytes();
            to_scalar.scalar(&[&seed_length, &seed, &index, &element, c, &element, d, b"Composite"])
        };
        Ok(pairs.map(weight).collect())
    }

    /// The challenge over `B` and `M, Z, t2, t3`.
    fn challenge(&self, points: &[RistrettoPoint; 4]) -> Result<Scalar> {
        let encoded = points.map(|point| point.compress().to_bytes());
        let element = (ELEMENT_BYTES as u16).to_be_bytes();
        let mut transcript: Vec<&[u8]> = vec![&element, &self.public_row];
        for row in &encoded {
            transcript.extend([&element[..], row]);
        }
        transcript.push(b"Challenge");
        Ok(self.hash_to_scalar()?.scalar(&transcript))
    }

    fn hash_to_scalar(&self) -> Result<Expander> {
        Expander::new(&[b"HashToScalar-", self.context])
    }
}

/// The weights that fold a batch into one pair: 128 bits each, from a hash of the key and of every pair.
pub fn fold_weights(label: &str, public_row: &[u8], blinded: &[u8], evaluated: &[u8]) -> Vec<Scalar> {
    let seed = hashing::derive_key(label, &[public_row, blinded, evaluated]);
    let stream = blake3::Hasher::new_keyed(&seed).finalize_xof();
    let mut weights = vec![Scalar::ZERO; blinded.len() / ELEMENT_BYTES];
    weights.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, weights)| {
        let mut bytes = vec![0; weights.len() * WEIGHT_BYTES];
        let mut stream = stream.clone();
        stream.set_position((chunk * CHUNK * WEIGHT_BYTES) as u64);
        stream.fill(&mut bytes);
        for (weight, bytes) in weights.iter_mut().zip(bytes.chunks_exact(WEIGHT_BYTES)) {
            let mut low = [0; WEIGHT_BYTES];
            low.copy_from_slice(bytes);
            *weight = Scalar::from(u128::from_le_bytes(low));
        }
    });
    weights
}

fn scalar(bytes: &[u8]) -> Result<Scalar> {
    <[u8; SCALAR_BYTES]>::try_from(bytes)
        .ok()
        .and_then(|bytes| Option::from(Scalar::from_canonical_bytes(bytes)))
        .ok_or_else(|| Error::Decode("a scalar of the proof is out of range".into()))
}
