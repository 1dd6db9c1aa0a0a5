//! The oblivious PRF of RFC 9497 on ristretto255-SHA512, modes 0 (OPRF) and 1 (VOPRF), and its bulk form.
//!
//! Encoding a double is far cheaper than encoding a point (`Points::encode_doubles`), so whatever is to be
//! encoded is computed with a halved scalar.
//!
//! The bulk form computes the same PRF under the same key and has the same public key; it differs between
//! blind and finalize. Blinding adds (`C = 2(H(x) + r*G)`) where the RFC multiplies (`C = r*H(x)`): both are
//! uniform to the server, and a multiple of a fixed base costs less than half of one of a fresh base. The
//! server answers `Z = (k/4)*C` and proves that against `k*G = (k/4)*4G`, so that the client, `Z - (r/2)*k*G
//! = k*H(x)/2`, can encode doubles as well. Unblinding with the public key is right only if the proof holds
//! (without it this is the weaker "correlated" OPRF of Jarecki, Krawczyk and Xu, PKC 2021): the bulk form has
//! no mode 0.
#![forbid(unsafe_code)]

use crate::batch::{Backend, Points};
use crate::dleq::{fold_weights, weighted_sum, Statement, PROOF_BYTES};
use crate::errors::{Error, Result};
use crate::group::{decode_public_key, for_each_chunk, Expander, ELEMENT_BYTES};
use crate::rows::Items;
use crate::scalars;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use sha2::{Digest, Sha512};
use std::ops::Range;
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// Bytes of a PRF output.
pub const OUTPUT_BYTES: usize = 64;

/// The modes of RFC 9497 that are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Without a proof.
    Oprf,
    /// With a proof that the announced key was used.
    Voprf,
}

impl Mode {
    /// The mode's number in the RFC.
    pub fn number(self) -> u8 {
        match self {
            Self::Oprf => 0,
            Self::Voprf => 1,
        }
    }

    fn context(self) -> Vec<u8> {
        [b"OPRFV1-", &[self.number()][..], b"-ristretto255-SHA512"].concat()
    }

    fn hash_to_group(self) -> Result<Expander> {
        Expander::new(&[b"HashToGroup-", &self.context()])
    }
}

/// A server's key. Wiped when dropped; nothing prints it.
#[derive(ZeroizeOnDrop)]
pub struct PrivateKey {
    scalar: Scalar,
    #[zeroize(skip)]
    public: RistrettoPoint,
    #[zeroize(skip)]
    mode: Mode,
}

impl PrivateKey {
    /// A fresh key, of the draw of `scalars::draw`.
    pub fn generate(draw: Option<&[u8]>, mode: Mode) -> Result<Self> {
        Self::from_scalar(&*scalars::draw_one(draw)?, mode)
    }

    /// `DeriveKeyPair` (RFC 9497, section 3.2.1).
    pub fn derive(seed: &[u8], info: &[u8], mode: Mode) -> Result<Self> {
        let expander = Expander::new(&[b"DeriveKeyPair", &mode.context()])?;
        let length = u16::try_from(info.len())
            .map_err(|_| Error::Parameter("the info of a derived key has at most 65535 bytes".into()))?;
        (0..=u8::MAX)
            .map(|counter| Zeroizing::new(expander.scalar(&[seed, &length.to_be_bytes(), info, &[counter]])))
            .find_map(|scalar| Self::from_scalar(&scalar, mode).ok())
            .ok_or_else(|| Error::Parameter("no key derives from this seed".into()))
    }

    fn from_scalar(scalar: &Scalar, mode: Mode) -> Result<Self> {
        if *scalar == Scalar::ZERO {
            return Err(Error::Parameter("the private key is zero".into()));
        }
        Ok(Self { scalar: *scalar, public: RistrettoPoint::mul_base(scalar), mode })
    }

    /// The key that nobody has, for tests.
    #[cfg(test)]
    pub fn sum(keys: &[Self]) -> Self {
        Self::from_scalar(&keys.iter().map(|key| key.scalar).sum(), Mode::Voprf).unwrap()
    }

    /// The mode the key is for.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The encoded public key.
    pub fn public_key(&self) -> [u8; ELEMENT_BYTES] {
        self.public.compress().to_bytes()
    }
}

/// How a client's items were blinded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blinding {
    /// `C = r * H(x)`, as in the RFC.
    Multiplicative(Mode),
    /// `C = 2 * (H(x) + r*G)`.
    Additive,
}

/// What a client keeps between blind and finalize. Wiped when dropped; nothing prints it.
pub struct Blinds {
    scalars: Zeroizing<Vec<Scalar>>,
    blinding: Blinding,
}

impl Blinds {
    /// How many items were blinded.
    pub fn len(&self) -> usize {
        self.scalars.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.scalars.is_empty()
    }
}

/// The server's message as the client received it.
pub struct Reply<'a> {
    /// The client's own blinded rows.
    pub blinded: &'a [u8],
    /// The evaluated rows.
    pub evaluated: &'a [u8],
    /// The announced public key.
    pub public_key: &'a [u8],
    /// The proof.
    pub proof: &'a [u8; PROOF_BYTES],
}

/// `Blind` of every item, with a scalar of `scalars::draw` each.
pub fn blind(
    backend: Backend,
    items: &Items<'_>,
    draws: Option<&[u8]>,
    mode: Mode,
) -> Result<(Blinds, Vec<u8>)> {
    blind_with(backend, items, draws, Blinding::Multiplicative(mode), |points, scalars| {
        let halves: Zeroizing<Vec<_>> = Zeroizing::new(scalars.iter().map(Scalar::div_by_2).collect());
        points.multiply_each(&halves)
    })
}

/// Blinding of the bulk form, for keys of mode 1.
pub fn bulk_blind(backend: Backend, items: &Items<'_>, draws: Option<&[u8]>) -> Result<(Blinds, Vec<u8>)> {
    let generator = backend.generator();
    blind_with(backend, items, draws, Blinding::Additive, |points, scalars| {
        points.add_multiples(generator, scalars)
    })
}

/// Blinded rows, where `half` gives half of each blinded element.
fn blind_with<F>(
    backend: Backend,
    items: &Items<'_>,
    draws: Option<&[u8]>,
    blinding: Blinding,
    half: F,
) -> Result<(Blinds, Vec<u8>)>
where
    F: Fn(&Points, &[Scalar]) -> Points + Sync,
{
    let mode = match blinding {
        Blinding::Multiplicative(mode) => mode,
        Blinding::Additive => Mode::Voprf,
    };
    let expander = mode.hash_to_group()?;
    let blinds = Blinds { scalars: scalars::draw(draws, items.len())?, blinding };
    let mut rows = vec![0; items.len() * ELEMENT_BYTES];
    for_each_chunk(&mut rows, ELEMENT_BYTES, |range, rows| {
        let points = expander.points(backend, items, range.clone())?;
        half(&points, &blinds.scalars[range]).encode_doubles(rows);
        Ok(())
    })?;
    Ok((blinds, rows))
}

/// `BlindEvaluate` of every row; the proof is empty in mode 0.
pub fn blind_evaluate(
    backend: Backend,
    key: &PrivateKey,
    blinded: &[u8],
    draw: Option<&[u8]>,
) -> Result<(Vec<u8>, Vec<u8>)> {
    let evaluated = multiply_rows(backend, &key.scalar, blinded)?;
    if key.mode == Mode::Oprf {
        return Ok((evaluated, Vec::new()));
    }
    let r = scalars::draw_one(draw)?;
    let context = key.mode.context();
    let statement = statement(backend, &context, 1, key.public);
    let proof = statement.prove(&key.scalar, &r, blinded, &evaluated)?;
    Ok((evaluated, proof.to_vec()))
}

/// Evaluation of the bulk form: by a quarter of the key, with the RFC's proof for the folded pair.
pub fn bulk_blind_evaluate(
    backend: Backend,
    key: &PrivateKey,
    blinded: &[u8],
    draw: Option<&[u8]>,
    label: &str,
) -> Result<(Vec<u8>, Vec<u8>)> {
    if key.mode != Mode::Voprf {
        return Err(Error::Parameter("the bulk form needs a key of mode VOPRF".into()));
    }
    let quarter = Zeroizing::new(key.scalar.div_by_2().div_by_2());
    let evaluated = multiply_rows(backend, &quarter, blinded)?;
    let context = key.mode.context();
    let statement = statement(backend, &context, 4, key.public);
    let weights = fold_weights(label, &statement.public_row, blinded, &evaluated);
    let c = weighted_sum(backend, blinded, &weights)?;
    let z = c * *quarter;
    let r = scalars::draw_one(draw)?;
    let proof = statement.prove(&quarter, &r, &folded(c, &weights), &folded(z, &weights))?;
    Ok((evaluated, proof.to_vec()))
}

/// `Finalize` of every item (RFC 9497, sections 3.3.1 and 3.3.2); a reply's proof is verified in mode 1.
pub fn finalize(
    backend: Backend,
    items: &Items<'_>,
    blinds: &Blinds,
    evaluated: &[u8],
    reply: Option<&Reply<'_>>,
    mode: Mode,
) -> Result<Vec<u8>> {
    if blinds.blinding != Blinding::Multiplicative(mode) {
        return Err(Error::Parameter("these blinds were made for another mode".into()));
    }
    match (mode, reply) {
        (Mode::Oprf, _) => {}
        (Mode::Voprf, None) => return Err(Error::Parameter("mode VOPRF finalizes only with a proof".into())),
        (Mode::Voprf, Some(reply)) => {
            let context = mode.context();
            let statement = statement(backend, &context, 1, decode_public_key(reply.public_key)?);
            statement.verify(reply.blinded, evaluated, reply.proof)?;
        }
    }
    outputs(items, |range| {
        let mut halves = Zeroizing::new(blinds.scalars[range.clone()].to_vec());
        Scalar::invert_batch_alloc(&mut halves);
        halves.iter_mut().for_each(|inverse| *inverse = inverse.div_by_2());
        Ok(decode_range(backend, evaluated, range)?.multiply_each(&halves))
    })
}

/// Finalize of the bulk form under the sum of the keys of several servers, each of which proves its own part.
///
/// Nobody knows that sum unless all servers tell each other. A server cannot cancel out the others by a key
/// made of theirs: of such a key it does not know the logarithm, which each proof shows.
pub fn bulk_finalize(
    backend: Backend,
    items: &Items<'_>,
    blinds: &Blinds,
    replies: &[Reply<'_>],
    label: &str,
) -> Result<Vec<u8>> {
    if blinds.blinding != Blinding::Additive {
        return Err(Error::Parameter("these blinds were not made for the bulk form".into()));
    }
    let Some((first, others)) = replies.split_first() else {
        return Err(Error::Parameter("nobody has answered".into()));
    };
    let keys = replies.iter().map(|reply| verified_key(backend, reply, label));
    let public = keys.sum::<Result<RistrettoPoint>>()?;
    if public.is_identity() {
        return Err(Error::Verification("the servers' keys cancel each other out".into()));
    }
    let table = backend.table(&public);
    outputs(items, |range| {
        let scalars = blinds.scalars[range.clone()].iter().map(|r| -r.div_by_2()).collect();
        let scalars: Zeroizing<Vec<Scalar>> = Zeroizing::new(scalars);
        let mut sum = decode_range(backend, first.evaluated, range.clone())?;
        for other in others {
            sum = sum.plus(&decode_range(backend, other.evaluated, range.clone())?);
        }
        Ok(sum.add_multiples(&table, &scalars))
    })
}

/// The key of a bulk reply whose proof holds.
fn verified_key(backend: Backend, reply: &Reply<'_>, label: &str) -> Result<RistrettoPoint> {
    let context = Mode::Voprf.context();
    let public = decode_public_key(reply.public_key)?;
    let weights = fold_weights(label, reply.public_key, reply.blinded, reply.evaluated);
    let c = weighted_sum(backend, reply.blinded, &weights)?;
    let z = weighted_sum(backend, reply.evaluated, &weights)?;
    let statement = statement(backend, &context, 4, public);
    statement.verify(&folded(c, &weights), &folded(z, &weights), reply.proof)?;
    Ok(public)
}

/// `Evaluate` of every item with the key itself (RFC 9497, section 3.3.1).
pub fn evaluate(backend: Backend, key: &PrivateKey, items: &Items<'_>) -> Result<Vec<u8>> {
    let expander = key.mode.hash_to_group()?;
    let half = Zeroizing::new(key.scalar.div_by_2());
    outputs(items, |range| Ok(expander.points(backend, items, range)?.multiply(&half)))
}

/// One side of the pair that a batch folds into, encoded; an empty batch has none.
fn folded(sum: RistrettoPoint, weights: &[Scalar]) -> Vec<u8> {
    weights.first().map(|_| sum.compress().to_bytes().to_vec()).unwrap_or_default()
}

/// That `public` is a multiple of `base * G`.
fn statement(backend: Backend, context: &[u8], base: u64, public: RistrettoPoint) -> Statement<'_> {
    let base = RISTRETTO_BASEPOINT_POINT * Scalar::from(base);
    Statement { backend, context, base, public, public_row: public.compress().to_bytes() }
}

/// Rows of the peer, each times one secret scalar.
fn multiply_rows(backend: Backend, scalar: &Scalar, rows: &[u8]) -> Result<Vec<u8>> {
    let half = Zeroizing::new(scalar.div_by_2());
    let mut out = vec![0; rows.len()];
    for_each_chunk(&mut out, ELEMENT_BYTES, |range, out| {
        decode_range(backend, rows, range)?.multiply(&half).encode_doubles(out);
        Ok(())
    })?;
    Ok(out)
}

fn decode_range(backend: Backend, rows: &[u8], range: Range<usize>) -> Result<Points> {
    backend.decode(&rows[range.start * ELEMENT_BYTES..range.end * ELEMENT_BYTES], range.start)
}

/// PRF outputs, where `halves(range)` gives half of the unblinded element of each item in a range.
///
/// The last step of `Finalize` and `Evaluate`: a hash over the item and the element.
fn outputs<F>(items: &Items<'_>, halves: F) -> Result<Vec<u8>>
where
    F: Fn(Range<usize>) -> Result<Points> + Sync,
{
    let mut out = vec![0; items.len() * OUTPUT_BYTES];
    for_each_chunk(&mut out, OUTPUT_BYTES, |range, out| {
        let mut issued = Zeroizing::new(vec![0; range.len() * ELEMENT_BYTES]);
        halves(range.clone())?.encode_doubles(&mut issued);
        let rows = issued.chunks_exact(ELEMENT_BYTES).zip(out.chunks_exact_mut(OUTPUT_BYTES));
        for (index, (issued, out)) in range.zip(rows) {
            let mut hash = Sha512::new();
            for part in [items.get(index), issued] {
                hash.update((part.len() as u16).to_be_bytes()); // Python checks that an item fits 16 bits
                hash.update(part);
            }
            hash.update(b"Finalize");
            out.copy_from_slice(&hash.finalize());
        }
        Ok(())
    })?;
    Ok(out)
}
