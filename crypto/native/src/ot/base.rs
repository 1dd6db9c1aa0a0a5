//! Base oblivious transfers in two messages, on ristretto255 and ML-KEM-768 together.
//!
//! The receiver hides its public key of each transfer in a programmable-once public function: one message
//! `(s, T)` that anyone can evaluate at 0 and at 1, whose value its maker controls at one of them, and nobody
//! at the other. The sender encapsulates to both values. This is the transfer of McQuoid, Rosulek and Roy
//! ("Minimal Symmetric PAKE and 1-out-of-N OT from Programmable-Once Public Functions", CCS 2020) with their
//! two-round Feistel function, and one Diffie-Hellman message for the whole batch, each key hashed with its
//! place and the whole transcript ("Batching Base Oblivious Transfers", ASIACRYPT 2021). A public key here is
//! a pair, a point and an ML-KEM `t`; the group that the function works in is the product of both:
//!
//! ```text
//! program(b, P):  r random;  T = P + H(b, r);  s = r xor H'(b, T)
//! evaluate(x):    P_x = T - H(x, s xor H'(x, T))
//! ```
//!
//! Points are perfectly hidden in `T`, whatever the peer computes; `t` is hidden because it looks uniform
//! (module LWE). A key stays unknown to the receiver that did not choose it while *either* the gap
//! Diffie-Hellman problem or module LWE is hard. `docs/protocols/ot.md` has the argument.
#![forbid(unsafe_code)]

use super::lattice::{Vector, VECTOR_BYTES};
use super::{block, Chosen, Pairs, COUNT};
use crate::batch::{Backend, Points};
use crate::errors::{Error, Result};
use crate::group::{ELEMENT_BYTES, WIDE_BYTES};
use crate::hashing;
use blake3::{Hasher, OutputReader};
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::CompressedRistretto;
use curve25519_dalek::scalar::Scalar;
use libcrux_ml_kem::mlkem768::{self as kem, MlKem768Ciphertext, MlKem768PublicKey};
use zeroize::{Zeroize, Zeroizing};

/// Bytes of the string `s`: three times the security parameter.
const STRING_BYTES: usize = 48;
/// Bytes of the seed that an ML-KEM matrix grows from, part of the public key.
const RHO_BYTES: usize = 32;
/// Bytes of `T`: a point, the seed of the matrix, and a masked `t`.
const MASKED_BYTES: usize = ELEMENT_BYTES + RHO_BYTES + VECTOR_BYTES;
/// Bytes of a receiver's message, for each transfer.
pub const FUNCTION_BYTES: usize = STRING_BYTES + MASKED_BYTES;
const CIPHERTEXT_BYTES: usize = 1088;
/// Bytes of a sender's ciphertexts, for each transfer; an element comes once, before all.
pub const CIPHERTEXTS_BYTES: usize = 2 * CIPHERTEXT_BYTES;
const PRIVATE_KEY_BYTES: usize = 2400;
const SHARED_BYTES: usize = 32;
const KEY_SEED_BYTES: usize = 64;
/// Random bytes of the receiver: the choices; then for each transfer a string, a scalar, a key.
pub const RECEIVER_DRAW: usize = 16 + COUNT * RECEIVER_ROW;
const RECEIVER_ROW: usize = STRING_BYTES + WIDE_BYTES + KEY_SEED_BYTES;
/// Random bytes of the sender: one scalar; then two encapsulations for each transfer.
pub const SENDER_DRAW: usize = WIDE_BYTES + COUNT * 2 * SHARED_BYTES;

/// What a hash is for.
#[derive(Clone, Copy)]
enum Use {
    /// H', of `T`: a string.
    Toggle = 1,
    /// H, of a string: an element of the product group.
    Group = 2,
    /// A key of the transfer, of what both parts agreed on.
    Key = 3,
}

/// What the receiver keeps between its message and the sender's. Wiped when dropped.
pub struct Receiver {
    delta: u128,
    scalars: Zeroizing<Vec<Scalar>>,
    private_keys: Zeroizing<Vec<u8>>,
    message: Vec<u8>,
    context: Vec<u8>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.delta.zeroize();
    }
}

/// The functions of one session: all hashing of its transfers.
struct Session(Hasher);

impl Session {
    fn new(label: &str, material: &[&[u8]]) -> Self {
        Session(Hasher::new_keyed(&hashing::derive_key(label, material)))
    }

    fn hash(&self, purpose: Use, transfer: usize, value: u8, parts: &[&[u8]]) -> OutputReader {
        let mut hasher = self.0.clone();
        hasher.update(&[purpose as u8, transfer as u8, value]);
        parts.iter().for_each(|part| {
            hasher.update(part);
        });
        hasher.finalize_xof()
    }

    /// `s xor H'(x, T)`, which is the other way round, too.
    fn toggle(&self, transfer: usize, value: u8, string: &[u8], masked: &[u8]) -> [u8; STRING_BYTES] {
        let mut out = [0; STRING_BYTES];
        self.hash(Use::Toggle, transfer, value, &[masked]).fill(&mut out);
        out.iter_mut().zip(string).for_each(|(out, byte)| *out ^= byte);
        out
    }

    /// `H(x, r)`: what becomes a point, and a vector.
    fn to_group(&self, transfer: usize, value: u8, string: &[u8]) -> ([u8; WIDE_BYTES], Vector) {
        let mut stream = self.hash(Use::Group, transfer, value, &[string]);
        let mut uniform = [0; WIDE_BYTES];
        stream.fill(&mut uniform);
        (uniform, Vector::sample(&mut stream))
    }

    /// The key of one value of one transfer.
    fn to_key(&self, transfer: usize, value: u8, element: &[u8], shared: &[u8]) -> u128 {
        let mut out = Zeroizing::new([0; 32]);
        self.hash(Use::Key, transfer, value, &[element, shared]).fill(&mut *out);
        block(&out)
    }
}

impl Receiver {
    /// First step of the receiver: draw the choices, and hide the public keys at them.
    ///
    /// The message has `COUNT` rows of `FUNCTION_BYTES`.
    pub fn start(
        backend: Backend,
        label: &str,
        context: &[u8],
        draw: Option<&[u8]>,
    ) -> Result<(Self, Vec<u8>)> {
        let draw = randomness(draw, RECEIVER_DRAW)?;
        let (delta, rows) = draw.split_at(16);
        let delta = u128::from_le_bytes(std::array::from_fn(|at| delta[at]));
        let session = Session::new(label, &[context]);

        let mut message = vec![0; COUNT * FUNCTION_BYTES];
        let mut scalars = Zeroizing::new(Vec::with_capacity(COUNT));
        let mut private_keys = Zeroizing::new(Vec::with_capacity(COUNT * PRIVATE_KEY_BYTES));
        let mut uniform = Zeroizing::new(Vec::with_capacity(COUNT));
        let transfers = rows.chunks_exact(RECEIVER_ROW).zip(message.chunks_exact_mut(FUNCTION_BYTES));
        for (transfer, (draw, function)) in transfers.enumerate() {
            let (string, draw) = draw.split_at(STRING_BYTES);
            let (scalar, seed) = draw.split_at(WIDE_BYTES);
            scalars.push(wide(scalar));
            let mut seed = std::array::from_fn(|at| seed[at]);
            let pair = kem::generate_key_pair(seed);
            seed.zeroize();
            private_keys.extend_from_slice(pair.private_key().as_slice());

            let (point, vector) = session.to_group(transfer, choice(delta, transfer), string);
            uniform.push(point);
            let (t, rho) = pair.public_key().as_slice().split_at(VECTOR_BYTES);
            let t = t.first_chunk().and_then(Vector::decode).expect("our own public key");
            let rest = &mut function[STRING_BYTES + ELEMENT_BYTES..];
            rest[..RHO_BYTES].copy_from_slice(rho);
            t.plus(&vector).encode(&mut rest[RHO_BYTES..]);
        }
        let points = backend.hash(&uniform).add_multiples(backend.generator(), &scalars);
        let mut encoded = vec![0; COUNT * ELEMENT_BYTES];
        points.encode(&mut encoded);
        for (transfer, function) in message.chunks_exact_mut(FUNCTION_BYTES).enumerate() {
            let point = &encoded[transfer * ELEMENT_BYTES..][..ELEMENT_BYTES];
            let (string, masked) = function.split_at_mut(STRING_BYTES);
            masked[..ELEMENT_BYTES].copy_from_slice(point);
            let random = &rows[transfer * RECEIVER_ROW..][..STRING_BYTES];
            string.copy_from_slice(&session.toggle(transfer, choice(delta, transfer), random, masked));
        }
        let state =
            Self { delta, scalars, private_keys, message: message.clone(), context: context.to_vec() };
        Ok((state, message))
    }

    /// Last step of the receiver: the chosen keys, of the sender's element and `COUNT` rows of
    /// `CIPHERTEXTS_BYTES`.
    ///
    /// Any bytes are a ciphertext: one that was not made for the hidden key gives a key that nobody knows
    /// (implicit rejection, FIPS 203, section 6.3).
    pub fn finish(
        &self,
        backend: Backend,
        label: &str,
        element: &[u8],
        ciphertexts: &[u8],
    ) -> Result<Chosen> {
        if element.len() != ELEMENT_BYTES || ciphertexts.len() != COUNT * CIPHERTEXTS_BYTES {
            return Err(Error::Parameter("a reply has one element and a row of two ciphertexts each".into()));
        }
        backend.decode(element, 0)?; // refuses the identity
        let point = CompressedRistretto::from_slice(element).ok().and_then(|row| row.decompress());
        let point = point.ok_or_else(|| Error::Decode("the element is no ristretto255 encoding".into()))?;
        let agreed = backend.multiples(&backend.table(&point), &self.halves());
        let agreed = encoded(&agreed);

        let session = Session::new(label, &[&self.context, &self.message, element, ciphertexts]);
        let mut chosen = Chosen { delta: self.delta, keys: [0; COUNT] };
        for (transfer, both) in ciphertexts.chunks_exact(CIPHERTEXTS_BYTES).enumerate() {
            let value = choice(self.delta, transfer);
            let (first, second) = both.split_at(CIPHERTEXT_BYTES);
            let mask = 0u8.wrapping_sub(value);
            let select = |at: usize| first[at] ^ (first[at] ^ second[at]) & mask;
            let ciphertext = MlKem768Ciphertext::from(std::array::from_fn(select));
            let private = &self.private_keys[transfer * PRIVATE_KEY_BYTES..][..PRIVATE_KEY_BYTES];
            let private = private.try_into().expect("the length of a private key");
            let shared = Zeroizing::new(kem::decapsulate(&private, &ciphertext));
            let element = &agreed[transfer * ELEMENT_BYTES..][..ELEMENT_BYTES];
            chosen.keys[transfer] = session.to_key(transfer, value, element, &*shared);
        }
        Ok(chosen)
    }

    /// The choices.
    pub fn delta(&self) -> u128 {
        self.delta
    }

    fn halves(&self) -> Zeroizing<Vec<Scalar>> {
        Zeroizing::new(self.scalars.iter().map(Scalar::div_by_2).collect())
    }
}

/// What the sender answers with: an element, and `COUNT` rows of `CIPHERTEXTS_BYTES`.
pub struct Reply {
    /// The Diffie-Hellman message, one for the batch.
    pub element: [u8; ELEMENT_BYTES],
    /// Two ciphertexts for each transfer.
    pub ciphertexts: Vec<u8>,
}

/// The sender's only step: both keys of each transfer, of a message of `Receiver::start`.
pub fn send(
    backend: Backend,
    label: &str,
    context: &[u8],
    message: &[u8],
    draw: Option<&[u8]>,
) -> Result<(Pairs, Reply)> {
    if message.len() != COUNT * FUNCTION_BYTES {
        return Err(Error::Parameter(format!("a message has {COUNT} rows of {FUNCTION_BYTES} bytes")));
    }
    let draw = randomness(draw, SENDER_DRAW)?;
    let (scalar, seeds) = draw.split_at(WIDE_BYTES);
    let scalar = Zeroizing::new(wide(scalar));
    let element = (RISTRETTO_BASEPOINT_TABLE * &*scalar).compress().to_bytes();
    let masked: Vec<u8> =
        message.chunks_exact(FUNCTION_BYTES).flat_map(|row| &row[STRING_BYTES..][..32]).copied().collect();
    let masked = backend.decode(&masked, 0)?;

    let session = Session::new(label, &[context]);
    let mut uniform = [Vec::with_capacity(COUNT), Vec::with_capacity(COUNT)];
    let mut shared = Zeroizing::new(Vec::with_capacity(COUNT * 2));
    let mut ciphertexts = Vec::with_capacity(COUNT * CIPHERTEXTS_BYTES);
    for (transfer, function) in message.chunks_exact(FUNCTION_BYTES).enumerate() {
        let (string, masked) = function.split_at(STRING_BYTES);
        let (rho, t) = masked[ELEMENT_BYTES..].split_at(RHO_BYTES);
        let t = t.first_chunk().and_then(Vector::decode);
        let t =
            t.ok_or_else(|| Error::Decode(format!("row {transfer} has a coefficient above the modulus")))?;
        for value in [0, 1] {
            let string = session.toggle(transfer, value, string, masked);
            let (point, vector) = session.to_group(transfer, value, &string);
            uniform[usize::from(value)].push(point);
            let mut key = [0; VECTOR_BYTES + RHO_BYTES];
            t.minus(&vector).encode(&mut key[..VECTOR_BYTES]);
            key[VECTOR_BYTES..].copy_from_slice(rho);
            let seed = &seeds[(2 * transfer + usize::from(value)) * SHARED_BYTES..];
            let mut seed = std::array::from_fn(|at| seed[at]);
            let (ciphertext, secret) = kem::encapsulate(&MlKem768PublicKey::from(key), seed);
            seed.zeroize();
            ciphertexts.extend_from_slice(ciphertext.as_slice());
            shared.push(secret);
        }
    }

    let half = Zeroizing::new(scalar.div_by_2());
    let agreed = uniform.map(|uniform| encoded(&masked.minus(&backend.hash(&uniform)).multiply(&half)));
    let session = Session::new(label, &[context, message, &element, &ciphertexts]);
    let mut pairs = Pairs([[0; 2]; COUNT]);
    for (transfer, pair) in pairs.0.iter_mut().enumerate() {
        for (value, key) in pair.iter_mut().enumerate() {
            let element = &agreed[value][transfer * ELEMENT_BYTES..][..ELEMENT_BYTES];
            *key = session.to_key(transfer, value as u8, element, &shared[2 * transfer + value]);
        }
    }
    Ok((pairs, Reply { element, ciphertexts }))
}

/// The encodings of the doubles.
fn encoded(halves: &Points) -> Zeroizing<Vec<u8>> {
    let mut rows = Zeroizing::new(vec![0; halves.len() * ELEMENT_BYTES]);
    halves.encode_doubles(&mut rows);
    rows
}

fn choice(delta: u128, transfer: usize) -> u8 {
    (delta >> transfer & 1) as u8
}

/// A scalar of 64 uniform bytes. One that is zero, with chance 2^-252, does no harm but to its own secrecy.
fn wide(draw: &[u8]) -> Scalar {
    let bytes: Zeroizing<[u8; WIDE_BYTES]> = Zeroizing::new(std::array::from_fn(|at| draw[at]));
    Scalar::from_bytes_mod_order_wide(&bytes)
}

/// Bytes that were given, or that the operating system gives.
pub(super) fn randomness(given: Option<&[u8]>, length: usize) -> Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    match given {
        Some(given) if given.len() != length => {
            return Err(Error::Parameter(format!("this step takes {length} random bytes")));
        }
        Some(given) => bytes.copy_from_slice(given),
        None => getrandom::fill(&mut bytes).map_err(|error| {
            Error::Randomness(format!("the operating system gives no randomness: {error}"))
        })?,
    }
    Ok(bytes)
}
