//! The oblivious PRF of RFC 9497 on ristretto255-SHA512, modes 0 (OPRF) and 1 (VOPRF), and its bulk form.
//!
//! Encoding a double is nine times cheaper than encoding a point (`encode_doubles`), so whatever is to be encoded
//! is computed with a halved scalar.
//!
//! The bulk form computes the same PRF under the same key and has the same public key; it differs between blind
//! and finalize. Blinding adds (`C = 2(H(x) + r*G)`) where the RFC multiplies (`C = r*H(x)`): both are uniform to
//! the server, and a multiple of a fixed base costs less than half of one of a fresh base. The server answers
//! `Z = (k/4)*C` and proves that against `k*G = (k/4)*4G`, so that the client, `Z - (r/2)*k*G = k*H(x)/2`, can
//! encode doubles as well. Unblinding with the public key is right only if the proof holds (without it this is
//! the weaker "correlated" OPRF of Jarecki, Krawczyk and Xu, PKC 2021): the bulk form has no mode 0.
#![forbid(unsafe_code)]

use crate::dleq::{fold_weights, Elements, Folded, Statement, PROOF_BYTES};
use crate::errors::{Error, Result};
use crate::group::{
    decode, decode_public_key, encode_doubles, for_each_chunk, hash_own, Expander, CHUNK, ELEMENT_BYTES,
    WIDE_BYTES,
};
use crate::rows::Items;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::{RistrettoBasepointTable, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use rayon::prelude::*;
use sha2::{Digest, Sha512};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of a PRF output.
pub const OUTPUT_BYTES: usize = 64;
/// From this many items on, a table for the peer's public key pays for itself.
const TABLE_FROM: usize = 128;

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
    /// The key of 64 uniform bytes, reduced.
    pub fn from_wide(wide: &[u8; WIDE_BYTES], mode: Mode) -> Result<Self> {
        Self::from_scalar(Scalar::from_bytes_mod_order_wide(wide), mode)
    }

    /// `DeriveKeyPair` (RFC 9497, section 3.2.1).
    pub fn derive(seed: &[u8], info: &[u8], mode: Mode) -> Result<Self> {
        let expander = Expander::new(&[b"DeriveKeyPair", &mode.context()])?;
        let length = u16::try_from(info.len())
            .map_err(|_| Error::Parameter("the info of a derived key has at most 65535 bytes".into()))?;
        (0..=u8::MAX)
            .map(|counter| expander.scalar(&[seed, &length.to_be_bytes(), info, &[counter]]))
            .find_map(|scalar| Self::from_scalar(scalar, mode).ok())
            .ok_or_else(|| Error::Parameter("no key derives from this seed".into()))
    }

    fn from_scalar(scalar: Scalar, mode: Mode) -> Result<Self> {
        if scalar == Scalar::ZERO {
            return Err(Error::Parameter("the private key is zero".into()));
        }
        Ok(Self { scalar, public: RistrettoPoint::mul_base(&scalar), mode })
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
#[derive(ZeroizeOnDrop)]
pub struct Blinds {
    scalars: Vec<Scalar>,
    /// Halves of the blinded elements: public, kept so that a proof need not decode them again.
    #[zeroize(skip)]
    halves: Vec<RistrettoPoint>,
    #[zeroize(skip)]
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

    fn elements<'a>(&'a self, rows: &'a [u8]) -> Elements<'a> {
        Elements { points: &self.halves, rows, scale: 2 }
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

/// Whether all 64-byte draws reduce to scalars other than zero.
pub fn usable(draws: &[u8]) -> bool {
    draws.par_chunks(WIDE_BYTES).with_min_len(CHUNK).all(|draw| wide(draw) != Scalar::ZERO)
}

/// `Blind` of every item, with the scalar of each 64-byte draw.
pub fn blind(items: &Items<'_>, draws: &[u8], mode: Mode) -> Result<(Blinds, Vec<u8>)> {
    let expander = mode.hash_to_group()?;
    blind_with(items, draws, Blinding::Multiplicative(mode), |item, index, r| {
        Ok(hash_own(&expander, item, index)? * r.div_by_2())
    })
}

/// Blinding of the bulk form, for keys of mode 1.
pub fn bulk_blind(items: &Items<'_>, draws: &[u8]) -> Result<(Blinds, Vec<u8>)> {
    let expander = Mode::Voprf.hash_to_group()?;
    blind_with(items, draws, Blinding::Additive, |item, index, r| {
        Ok(hash_own(&expander, item, index)? + RistrettoPoint::mul_base(r))
    })
}

fn blind_with<F>(items: &Items<'_>, draws: &[u8], blinding: Blinding, half: F) -> Result<(Blinds, Vec<u8>)>
where
    F: Fn(&[u8], usize, &Scalar) -> Result<RistrettoPoint> + Sync,
{
    let n = items.len();
    let mut blinds =
        Blinds { scalars: vec![Scalar::ZERO; n], halves: vec![RistrettoPoint::identity(); n], blinding };
    let mut rows = vec![0; n * ELEMENT_BYTES];
    let Blinds { scalars, halves, .. } = &mut blinds;
    rows.par_chunks_mut(CHUNK * ELEMENT_BYTES)
        .zip(scalars.par_chunks_mut(CHUNK))
        .zip(halves.par_chunks_mut(CHUNK))
        .enumerate()
        .try_for_each(|(chunk, ((rows, scalars), halves))| {
            for (offset, (scalar, point)) in scalars.iter_mut().zip(halves.iter_mut()).enumerate() {
                let index = chunk * CHUNK + offset;
                *scalar = wide(&draws[index * WIDE_BYTES..][..WIDE_BYTES]);
                *point = half(items.get(index), index, scalar)?;
            }
            encode_doubles(halves, rows);
            Ok(())
        })?;
    Ok((blinds, rows))
}

/// `BlindEvaluate` of every row; the proof is empty in mode 0.
pub fn blind_evaluate(
    key: &PrivateKey,
    blinded: &[u8],
    draw: &[u8; WIDE_BYTES],
) -> Result<(Vec<u8>, Vec<u8>)> {
    let (points, evaluated) = multiply_rows(&key.scalar, blinded)?;
    if key.mode == Mode::Oprf {
        return Ok((evaluated, Vec::new()));
    }
    let r = Zeroizing::new(wide(draw));
    let context = key.mode.context();
    let elements = Elements { points: &points, rows: blinded, scale: 1 };
    let proof =
        statement(&context, 1, key.public, key.public_key()).prove(&key.scalar, &r, elements, &evaluated)?;
    Ok((evaluated, proof.to_vec()))
}

/// Evaluation of the bulk form: by a quarter of the key, with the RFC's proof for the folded pair.
pub fn bulk_blind_evaluate(
    key: &PrivateKey,
    blinded: &[u8],
    draw: &[u8; WIDE_BYTES],
    label: &str,
) -> Result<(Vec<u8>, Vec<u8>)> {
    if key.mode != Mode::Voprf {
        return Err(Error::Parameter("the bulk form needs a key of mode VOPRF".into()));
    }
    let quarter = Zeroizing::new(key.scalar.div_by_2().div_by_2());
    let (points, evaluated) = multiply_rows(&quarter, blinded)?;
    let public_row = key.public_key();
    let weights = fold_weights(label, &public_row, blinded, &evaluated);
    let c = Folded::new(Elements { points: &points, rows: blinded, scale: 1 }, &weights);
    let z = c.multiplied(&quarter);
    let r = Zeroizing::new(wide(draw));
    let context = key.mode.context();
    let proof = statement(&context, 4, key.public, public_row).prove(
        &quarter,
        &r,
        c.elements(),
        z.elements().rows,
    )?;
    Ok((evaluated, proof.to_vec()))
}

/// `Finalize` of every item (RFC 9497, sections 3.3.1 and 3.3.2); a reply is given, and verified, in mode 1.
pub fn finalize(
    items: &Items<'_>,
    blinds: &Blinds,
    evaluated: &[u8],
    reply: Option<&Reply<'_>>,
    mode: Mode,
) -> Result<Vec<u8>> {
    if blinds.blinding != Blinding::Multiplicative(mode) {
        return Err(Error::Parameter("these blinds were made for another mode".into()));
    }
    let points = decode_rows(evaluated)?;
    match (mode, reply) {
        (Mode::Oprf, _) => {}
        (Mode::Voprf, None) => return Err(Error::Parameter("mode VOPRF finalizes only with a proof".into())),
        (Mode::Voprf, Some(reply)) => {
            let z = Elements { points: &points, rows: evaluated, scale: 1 };
            let context = mode.context();
            reply.statement(&context, 1)?.verify(blinds.elements(reply.blinded), z, reply.proof)?;
        }
    }
    outputs(items, |range, halves| {
        let mut inverses = Zeroizing::new(blinds.scalars[range.clone()].to_vec());
        Scalar::invert_batch_alloc(&mut inverses);
        halves.extend(inverses.iter().zip(&points[range]).map(|(inverse, z)| z * inverse.div_by_2()));
    })
}

/// Finalize of the bulk form.
pub fn bulk_finalize(items: &Items<'_>, blinds: &Blinds, reply: &Reply<'_>, label: &str) -> Result<Vec<u8>> {
    if blinds.blinding != Blinding::Additive {
        return Err(Error::Parameter("these blinds were not made for the bulk form".into()));
    }
    let points = decode_rows(reply.evaluated)?;
    let context = Mode::Voprf.context();
    let statement = reply.statement(&context, 4)?;
    let weights = fold_weights(label, reply.public_key, reply.blinded, reply.evaluated);
    let c = Folded::new(blinds.elements(reply.blinded), &weights);
    let z = Folded::new(Elements { points: &points, rows: reply.evaluated, scale: 1 }, &weights);
    statement.verify(c.elements(), z.elements(), reply.proof)?;
    let table = (items.len() >= TABLE_FROM).then(|| RistrettoBasepointTable::create(&statement.public));
    let multiple =
        |scalar: &Scalar| table.as_ref().map_or_else(|| statement.public * scalar, |table| table * scalar);
    outputs(items, |range, halves| {
        let blinds = blinds.scalars[range.clone()].iter();
        halves.extend(blinds.zip(&points[range]).map(|(r, z)| z - multiple(&r.div_by_2())));
    })
}

/// `Evaluate` of every item with the key itself (RFC 9497, section 3.3.1).
pub fn evaluate(key: &PrivateKey, items: &Items<'_>) -> Result<Vec<u8>> {
    let expander = key.mode.hash_to_group()?;
    let half = Zeroizing::new(key.scalar.div_by_2());
    let mut out = vec![0; items.len() * OUTPUT_BYTES];
    for_each_chunk(&mut out, OUTPUT_BYTES, |range, out| {
        let mut points = Vec::with_capacity(CHUNK);
        for index in range.clone() {
            points.push(hash_own(&expander, items.get(index), index)? * *half);
        }
        hash_outputs(items, range, &points, out);
        points.zeroize();
        Ok(())
    })?;
    Ok(out)
}

impl Reply<'_> {
    fn statement<'a>(&self, context: &'a [u8], base: u64) -> Result<Statement<'a>> {
        let public = decode_public_key(self.public_key)?;
        Ok(statement(context, base, public, public.compress().to_bytes()))
    }
}

/// That `public` is a multiple of `base * G`.
fn statement(
    context: &[u8],
    base: u64,
    public: RistrettoPoint,
    public_row: [u8; ELEMENT_BYTES],
) -> Statement<'_> {
    let base = RISTRETTO_BASEPOINT_POINT * Scalar::from(base);
    Statement { context, base, public, public_row }
}

/// Decode rows of the peer and multiply each by one secret scalar: the points, and the encoded products.
fn multiply_rows(scalar: &Scalar, rows: &[u8]) -> Result<(Vec<RistrettoPoint>, Vec<u8>)> {
    let half = Zeroizing::new(scalar.div_by_2());
    let points = decode_rows(rows)?;
    let mut out = vec![0; rows.len()];
    for_each_chunk(&mut out, ELEMENT_BYTES, |range, out| {
        let products: Vec<_> = points[range].iter().map(|point| point * *half).collect();
        encode_doubles(&products, out);
        Ok(())
    })?;
    Ok((points, out))
}

fn decode_rows(rows: &[u8]) -> Result<Vec<RistrettoPoint>> {
    rows.par_chunks(ELEMENT_BYTES)
        .with_min_len(CHUNK)
        .enumerate()
        .map(|(index, row)| decode(row, index))
        .collect()
}

/// PRF outputs, where `halves(range, points)` pushes half of the unblinded element of each item in a range.
fn outputs<F>(items: &Items<'_>, halves: F) -> Result<Vec<u8>>
where
    F: Fn(std::ops::Range<usize>, &mut Vec<RistrettoPoint>) + Sync,
{
    let mut out = vec![0; items.len() * OUTPUT_BYTES];
    for_each_chunk(&mut out, OUTPUT_BYTES, |range, out| {
        let mut points = Vec::with_capacity(CHUNK);
        halves(range.clone(), &mut points);
        hash_outputs(items, range, &points, out);
        points.zeroize();
        Ok(())
    })?;
    Ok(out)
}

/// The last step of `Finalize` and `Evaluate`: a hash over the item and the (doubled) point.
fn hash_outputs(items: &Items<'_>, range: std::ops::Range<usize>, halves: &[RistrettoPoint], out: &mut [u8]) {
    let mut issued = Zeroizing::new(vec![0; halves.len() * ELEMENT_BYTES]);
    encode_doubles(halves, &mut issued);
    let rows = issued.chunks_exact(ELEMENT_BYTES).zip(out.chunks_exact_mut(OUTPUT_BYTES));
    for (index, (issued, out)) in range.zip(rows) {
        let item = items.get(index);
        let mut hash = Sha512::new();
        for part in [item, issued] {
            hash.update((part.len() as u16).to_be_bytes()); // Python checks that an item fits 16 bits
            hash.update(part);
        }
        hash.update(b"Finalize");
        out.copy_from_slice(&hash.finalize());
    }
}

fn wide(draw: &[u8]) -> Scalar {
    let mut bytes = Zeroizing::new([0; WIDE_BYTES]);
    bytes.copy_from_slice(draw);
    Scalar::from_bytes_mod_order_wide(&bytes)
}
