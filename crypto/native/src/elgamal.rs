//! Sums of encrypted numbers: exponential ElGamal on ristretto255.
//!
//! `Enc(v; t) = (tG, tK + vG)` under the public key `K = kG`: adding ciphertexts adds numbers. Decrypting gives
//! `vG`; the number is its discrete logarithm, which is found only if it is small.
//!
//! Who encrypts here also decrypts, and knows `k`: `tK + vG` is one multiple of the generator. All encodings of
//! tables are of doubles (`oprf` says why), so scalars are halved first.
//!
//! Nothing secret decides how long anything takes: scalars go through constant-time functions, a sum passes over
//! every ciphertext, chosen or not, and `logarithm` searches its whole range wherever the answer is.
#![forbid(unsafe_code)]

use crate::batch::Backend;
use crate::errors::{Error, Result};
use crate::group::{decode_public_key, for_each_chunk, CHUNK, ELEMENT_BYTES, WIDE_BYTES};
use crate::rows::{self, Table};
use crate::scalars;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use rayon::prelude::*;
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// Bytes of a ciphertext: `tG`, then `tK + vG`.
pub const CIPHERTEXT_BYTES: usize = 2 * ELEMENT_BYTES;
/// No larger total is searched for: `2^40` takes a second or two, and 145 MiB.
pub const MAX_LIMIT: u64 = 1 << 40;
/// Scalars that a sum draws.
const SUM_DRAWS: usize = 2;

/// The key that decrypts. Wiped when dropped; nothing prints it.
#[derive(ZeroizeOnDrop)]
pub struct PrivateKey {
    scalar: Scalar,
    #[zeroize(skip)]
    public: [u8; ELEMENT_BYTES],
}

impl PrivateKey {
    /// A fresh key, of the draw of `scalars::draw`.
    pub fn generate(draw: Option<&[u8]>) -> Result<Self> {
        let scalar = scalars::draw_one(draw)?;
        let public = RistrettoPoint::mul_base(&scalar).compress().to_bytes();
        Ok(Self { scalar: *scalar, public })
    }

    /// The encoded public key.
    pub fn public_key(&self) -> [u8; ELEMENT_BYTES] {
        self.public
    }
}

/// What was added to a sum before it was shown to the holder of the key. Wiped when dropped; nothing prints it.
#[derive(ZeroizeOnDrop)]
pub struct Blind(Scalar);

/// Encrypt each number, with a scalar of `scalars::draw` each. `n * 64` bytes.
pub fn encrypt(backend: Backend, key: &PrivateKey, values: &[u64], draws: Option<&[u8]>) -> Result<Vec<u8>> {
    if draws.is_some_and(|draws| draws.len() != values.len() * WIDE_BYTES) {
        return Err(Error::Parameter(format!("a ciphertext takes {WIDE_BYTES} random bytes")));
    }
    let (k, mut out) = (&key.scalar, vec![0; values.len() * CIPHERTEXT_BYTES]);
    for_each_chunk(&mut out, CIPHERTEXT_BYTES, |range, out| {
        let draws = draws.map(|draws| &draws[range.start * WIDE_BYTES..range.end * WIDE_BYTES]);
        let drawn = scalars::draw(draws, range.len())?;
        let mut halves = Zeroizing::new(Vec::with_capacity(2 * range.len())); // never grows: no copy is left
        for (t, value) in drawn.iter().zip(&values[range]) {
            halves.push(t.div_by_2());
            halves.push((k * t + Scalar::from(*value)).div_by_2());
        }
        backend.multiples(backend.generator(), &halves).encode_doubles(out);
        Ok(())
    })?;
    Ok(out)
}

/// The sum of the chosen ciphertexts and of a fresh one of a random number: any ciphertext is as likely as
/// any other, whatever the peer sent. Every ciphertext must be valid, chosen or not.
pub fn sum(
    backend: Backend,
    public_key: &[u8],
    ciphertexts: &[u8],
    chosen: &[bool],
    draws: Option<&[u8]>,
) -> Result<(Blind, [u8; CIPHERTEXT_BYTES])> {
    debug_assert_eq!(ciphertexts.len(), chosen.len() * CIPHERTEXT_BYTES);
    let public = decode_public_key(public_key)?;
    let drawn = scalars::draw(draws, SUM_DRAWS)?;
    let (blind, t) = (Blind(drawn[0]), &drawn[1]);
    let fresh = [RistrettoPoint::mul_base(t), public * t + RistrettoPoint::mul_base(&blind.0)];
    let fresh = Zeroizing::new(fresh); // with what is sent, it would tell the sum
    let total = ciphertexts
        .par_chunks(CHUNK * CIPHERTEXT_BYTES)
        .zip(chosen.par_chunks(CHUNK))
        .enumerate()
        .map(|(chunk, (rows, chosen))| chosen_sum(backend, rows, chosen, chunk * CHUNK))
        .try_reduce(|| [RistrettoPoint::identity(); 2], |a, b| Ok(plus(&a, &b)))?;
    Ok((blind, encode(&plus(&Zeroizing::new(total), &fresh))))
}

/// The sum of the chosen ones of a chunk, whose first row has the number `first`.
fn chosen_sum(backend: Backend, rows: &[u8], chosen: &[bool], first: usize) -> Result<[RistrettoPoint; 2]> {
    let (rows, _) = rows.as_chunks::<CIPHERTEXT_BYTES>();
    let half = |from: usize| {
        let halves: Vec<u8> = rows.iter().flat_map(|row| &row[from..from + ELEMENT_BYTES]).copied().collect();
        Ok(backend.decode(&halves, first)?.chosen_sum(chosen))
    };
    Ok([half(0)?, half(ELEMENT_BYTES)?])
}

/// The element that a ciphertext holds.
pub fn decrypt(key: &PrivateKey, ciphertext: &[u8; CIPHERTEXT_BYTES]) -> Result<[u8; ELEMENT_BYTES]> {
    let (ephemeral, payload) = ciphertext.split_at(ELEMENT_BYTES);
    let (k, ephemeral) = (&key.scalar, decode(ephemeral)?);
    Ok((decode(payload)? - ephemeral * k).compress().to_bytes())
}

/// The number behind a decrypted sum, if it is at most `limit`.
pub fn open(blind: &Blind, element: &[u8; ELEMENT_BYTES], limit: u64) -> Result<Option<u64>> {
    if limit > MAX_LIMIT {
        return Err(Error::Parameter("the limit of a total is at most 2^40".into()));
    }
    logarithm(decode(element)? - RistrettoPoint::mul_base(&blind.0), limit)
}

/// The discrete logarithm of a point, if it is at most `limit`: baby steps and giant steps (Shanks 1971),
/// `2 * sqrt(limit)` of them, and 32 bytes for each. The whole range, whatever is in it.
fn logarithm(point: RistrettoPoint, limit: u64) -> Result<Option<u64>> {
    let m = limit.isqrt() + 1;
    let generator = RISTRETTO_BASEPOINT_POINT;
    let babies = doubles(RistrettoPoint::identity(), generator, m as usize)?;
    let giants = doubles(point, -(generator * Scalar::from(m)), m as usize)?;
    let tables = (Table::new(&babies, ELEMENT_BYTES)?, Table::new(&giants, ELEMENT_BYTES)?);
    let (small, large) = rows::join(&tables.0, &tables.1)?;
    let found = small.first().zip(large.first()).map(|(small, large)| *small as u64 + *large as u64 * m);
    Ok(found.filter(|number| *number <= limit))
}

/// The encoded doubles of `start`, `start + step`, `start + 2 step` ...
fn doubles(start: RistrettoPoint, step: RistrettoPoint, count: usize) -> Result<Vec<u8>> {
    let mut out = vec![0; count * ELEMENT_BYTES];
    for_each_chunk(&mut out, ELEMENT_BYTES, |range, out| {
        let first = start + step * Scalar::from(range.start as u64);
        let points: Vec<_> =
            std::iter::successors(Some(first), |point| Some(point + step)).take(range.len()).collect();
        for (row, encoded) in
            out.chunks_exact_mut(ELEMENT_BYTES).zip(RistrettoPoint::double_and_compress_batch(&points))
        {
            row.copy_from_slice(encoded.as_bytes());
        }
        Ok(())
    })?;
    Ok(out)
}

fn plus(a: &[RistrettoPoint; 2], b: &[RistrettoPoint; 2]) -> [RistrettoPoint; 2] {
    [a[0] + b[0], a[1] + b[1]]
}

fn encode(ciphertext: &[RistrettoPoint; 2]) -> [u8; CIPHERTEXT_BYTES] {
    let mut out = [0; CIPHERTEXT_BYTES];
    for (row, point) in out.chunks_exact_mut(ELEMENT_BYTES).zip(ciphertext) {
        row.copy_from_slice(point.compress().as_bytes());
    }
    out
}

/// A half of a ciphertext, or a decrypted sum: honest ones are random, so none is the identity.
fn decode(bytes: &[u8]) -> Result<RistrettoPoint> {
    CompressedRistretto::from_slice(bytes)
        .ok()
        .filter(|encoded| *encoded != CompressedRistretto::identity())
        .and_then(|encoded| encoded.decompress())
        .ok_or_else(|| Error::Decode("the sum is no valid ristretto255 element".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backends() -> Vec<Backend> {
        let mut all = vec![Backend::Portable, Backend::detect()];
        all.dedup();
        all
    }

    fn draws(count: usize, seed: u8) -> Vec<u8> {
        (0..count * WIDE_BYTES).map(|at| (at * 17 % 253) as u8 ^ seed).collect()
    }

    fn key(seed: u8) -> PrivateKey {
        PrivateKey::generate(Some(&[seed; WIDE_BYTES])).unwrap()
    }

    fn opened(backend: Backend, key: &PrivateKey, rows: &[u8], chosen: &[bool], limit: u64) -> Option<u64> {
        let (blind, total) = sum(backend, &key.public_key(), rows, chosen, None).unwrap();
        open(&blind, &decrypt(key, &total).unwrap(), limit).unwrap()
    }

    #[test]
    fn sums_of_the_chosen_come_back() {
        for backend in backends() {
            let key = key(3);
            for n in [0, 1, 2, 3, 255, 256, 257, 600] {
                let values: Vec<u64> = (0..n).map(|at| at * at % 1000).collect();
                let rows = encrypt(backend, &key, &values, None).unwrap();
                for modulus in [1, 2, 7, 1000] {
                    let chosen: Vec<bool> = (0..n).map(|at| at % modulus == modulus / 2).collect();
                    let expected =
                        values.iter().zip(&chosen).filter(|(_, chosen)| **chosen).map(|(value, _)| value);
                    let total = opened(backend, &key, &rows, &chosen, 1000 * n);
                    assert_eq!(total, Some(expected.sum()));
                }
            }
        }
    }

    #[test]
    fn backends_give_the_same_bytes() {
        let (key, values) = (key(5), [0, 1, 65535, u64::MAX, 7]);
        let given = draws(values.len(), 9);
        let rows = encrypt(Backend::Portable, &key, &values, Some(&given)).unwrap();
        assert_eq!(rows, encrypt(Backend::detect(), &key, &values, Some(&given)).unwrap());
        let both = backends().into_iter().map(|backend| {
            let chosen = [true, false, true, false, true];
            sum(backend, &key.public_key(), &rows, &chosen, Some(&given[..2 * WIDE_BYTES])).unwrap().1
        });
        let mut both: Vec<_> = both.collect();
        both.dedup();
        assert_eq!(both.len(), 1);
    }

    #[test]
    fn a_ciphertext_is_what_the_head_of_the_file_says() {
        let (key, given) = (key(7), draws(1, 1));
        let t = scalars::draw_one(Some(&given)).unwrap();
        let public = decode_public_key(&key.public_key()).unwrap();
        let expected =
            [RistrettoPoint::mul_base(&t), public * *t + RistrettoPoint::mul_base(&Scalar::from(41u8))];
        let rows = encrypt(Backend::detect(), &key, &[41], Some(&given)).unwrap();
        assert_eq!(rows, encode(&expected));
    }

    #[test]
    fn a_sum_is_a_fresh_ciphertext_each_time() {
        let key = key(11);
        let rows = encrypt(Backend::detect(), &key, &[1, 2], None).unwrap();
        let totals = (0..20).map(|at| {
            let chosen = [at % 2 == 0, at % 3 == 0];
            sum(Backend::detect(), &key.public_key(), &rows, &chosen, None).unwrap().1
        });
        let mut halves: Vec<[u8; ELEMENT_BYTES]> =
            totals.flat_map(|total| total.as_chunks().0.to_vec()).collect();
        halves.sort_unstable();
        halves.dedup();
        assert_eq!(halves.len(), 40);
    }

    #[test]
    fn logarithms_are_found_up_to_the_limit_and_not_beyond() {
        for limit in [0u64, 1, 2, 3, 4, 8, 9, 15, 16, 255, 65_535, 300_000] {
            for number in [0, 1, limit / 2, limit.saturating_sub(1), limit] {
                let found = logarithm(RistrettoPoint::mul_base(&Scalar::from(number)), limit).unwrap();
                assert_eq!(found, (number <= limit).then_some(number), "{number} of {limit}");
            }
            for number in
                [Scalar::from(limit + 1), Scalar::from(limit + 2), -Scalar::ONE, Scalar::from(u64::MAX)]
            {
                assert_eq!(logarithm(RistrettoPoint::mul_base(&number), limit).unwrap(), None);
            }
        }
    }

    #[test]
    fn every_row_is_checked_whether_it_is_chosen_or_not() {
        for backend in backends() {
            let key = key(13);
            let rows = encrypt(backend, &key, &[1; 300], None).unwrap();
            for place in [0, 1, 2 * 299, 2 * 299 + 1] {
                for bad in [[0; ELEMENT_BYTES], [255; ELEMENT_BYTES]] {
                    let mut rows = rows.clone();
                    rows[place * ELEMENT_BYTES..][..ELEMENT_BYTES].copy_from_slice(&bad);
                    let refused = sum(backend, &key.public_key(), &rows, &[false; 300], None).map(drop);
                    assert!(
                        matches!(&refused, Err(Error::Decode(text)) if text.contains(&format!("row {} ", place / 2)))
                    );
                }
            }
            for bad in [[0; ELEMENT_BYTES], [255; ELEMENT_BYTES]] {
                assert!(matches!(sum(backend, &bad, &rows, &[true; 300], None), Err(Error::Decode(_))));
            }
        }
    }

    #[test]
    fn what_is_no_element_is_refused_at_the_end_as_well() {
        let key = key(17);
        let rows = encrypt(Backend::detect(), &key, &[1], None).unwrap();
        let (blind, total) = sum(Backend::detect(), &key.public_key(), &rows, &[true], None).unwrap();
        for bad in [[0; ELEMENT_BYTES], [255; ELEMENT_BYTES]] {
            assert!(matches!(open(&blind, &bad, 9), Err(Error::Decode(_))));
            for at in [0, ELEMENT_BYTES] {
                let mut total = total;
                total[at..at + ELEMENT_BYTES].copy_from_slice(&bad);
                assert!(matches!(decrypt(&key, &total), Err(Error::Decode(_))));
            }
        }
    }

    #[test]
    fn a_limit_that_would_take_all_memory_is_refused() {
        let element = RISTRETTO_BASEPOINT_POINT.compress().to_bytes();
        for limit in [MAX_LIMIT + 1, u64::MAX] {
            assert!(matches!(open(&Blind(Scalar::ONE), &element, limit), Err(Error::Parameter(_))));
        }
    }

    #[test]
    fn randomness_of_another_length_is_refused() {
        let key = key(19);
        for given in [vec![], vec![1; WIDE_BYTES], vec![1; 3 * WIDE_BYTES]] {
            assert!(matches!(
                encrypt(Backend::detect(), &key, &[1, 2], Some(&given)),
                Err(Error::Parameter(_))
            ));
            let total = sum(Backend::detect(), &key.public_key(), &[], &[], Some(&given));
            assert!(matches!(total, Err(Error::Parameter(_))));
        }
    }
}
