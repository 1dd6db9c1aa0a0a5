//! The last steps of the VOLE-based OPRF: from a correlation and a store to the PRF's outputs.
//!
//! Source: Raghuraman, Rindal, "Blazing fast PSI from improved OKVS and subfield VOLE" (CCS 2022), the malicious
//! variant: `F(x) = H(Decode(C, x) + w, x)` with a hash that is a random oracle of both. Here `H` is Davies-Meyer,
//! `E_k(x) ^ x` with AES-128 under the key `k = Decode(C, x) + w`, once for the half that is compared and once for
//! the half that stays private, whose block differs in its lowest bit.
#![forbid(unsafe_code)]

use crate::errors::{Error, Result};
use crate::field;
use crate::memory::Big;
use crate::okvs::{decode_sorted, encode, Keys, Values};
use crate::prg::davies_meyer;
use crate::vole::{Received, Sent};
use rayon::prelude::*;
use zeroize::Zeroizing;

/// Items that one thread takes at once.
const CHUNK: usize = 1 << 10;

/// Which half of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// Is sent, and compared.
    Compared = 0,
    /// Stays private.
    Private = 1,
}

/// The receiver's message: a store of its keys behind `a`, of which the first elements are taken.
pub fn store(keys: &Keys, received: &Received, seed: u128, out: &mut [u128]) -> Result<()> {
    let a = first(received.a(), out.len())?;
    encode(keys, Values::Hashed, seed, out)?;
    out.par_chunks_mut(CHUNK).zip(a.par_chunks(CHUNK)).for_each(|(out, a)| {
        out.iter_mut().zip(a).for_each(|(out, a)| *out ^= a);
    });
    Ok(())
}

/// A correlation may be longer than the store: it may have been made before the store's size was known.
fn first(elements: &[u128], slots: usize) -> Result<&[u128]> {
    elements.get(..slots).ok_or_else(|| Error::Parameter("the correlation is shorter than the store".into()))
}

/// What the slots of each key sum to, in the order of the keys. Secret: with the coin it gives the outputs.
pub struct Decoded(Big<u128>);

impl Decoded {
    /// The receiver's: `Decode(c, x)`.
    pub fn of_receiver(received: &Received, keys: &Keys) -> Result<Self> {
        Self::of(first(received.c(), keys.layout().slots())?, keys)
    }

    fn of(table: &[u128], keys: &Keys) -> Result<Self> {
        let mut sums = Big::scratch(keys.len());
        decode_sorted(table, keys, &mut sums)?;
        Ok(Self(sums))
    }

    /// The sender's: `Decode(b + delta * store, x) + delta * H_B(x)`.
    pub fn of_sender(sent: &Sent, store: &[u128], keys: &Keys) -> Result<Self> {
        let (b, delta) = (first(sent.b(), store.len())?, sent.delta());
        let mut table = Big::scratch(b.len());
        let chunks = table.par_chunks_mut(CHUNK).zip(b.par_chunks(CHUNK).zip(store.par_chunks(CHUNK)));
        chunks.for_each(|(table, (b, store))| {
            table.copy_from_slice(b);
            field::add_scaled(table, delta, store);
        });
        let mut sums = Self::of(&table, keys)?;
        sums.0.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, sums)| {
            let mut values = [0; CHUNK];
            let values = &mut values[..sums.len()];
            keys.value_batch(chunk * CHUNK, values);
            field::add_scaled(sums, delta, values);
        });
        Ok(sums)
    }

    /// One half of the output of each key, into `out`.
    pub fn outputs(&self, keys: &Keys, coin: u128, half: Half, out: &mut [u128]) -> Result<()> {
        if self.0.len() != keys.len() || out.len() != keys.len() {
            return Err(Error::Parameter("an output a key".into()));
        }
        let ins = self.0.par_chunks(CHUNK).zip(keys.digests().par_chunks(CHUNK));
        out.par_chunks_mut(CHUNK).zip(ins).for_each(|(out, (sums, digests))| {
            let mut keys = Zeroizing::new([0; CHUNK]);
            let keys = &mut keys[..sums.len()];
            keys.iter_mut().zip(sums).for_each(|(key, sum)| *key = sum ^ coin);
            out.iter_mut().zip(digests).for_each(|(out, digest)| *out = digest ^ half as u128);
            davies_meyer(keys, out);
        });
        Ok(())
    }

    /// The compared halves, which are the sender's tags.
    pub fn compared(&self, keys: &Keys, coin: u128) -> Result<Big<u128>> {
        let mut out = Big::scratch(keys.len());
        self.outputs(keys, coin, Half::Compared, &mut out)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::okvs::{hash, Layout};
    use crate::prg::{Aes, Prg};

    fn random(seed: u128, n: usize) -> Vec<u128> {
        let mut out = vec![0; n];
        Prg::new(seed).fill(&mut out);
        out
    }

    fn decoded(sums: &[u128]) -> Decoded {
        let mut copy = Big::scratch(sums.len());
        copy.copy_from_slice(sums);
        Decoded(copy)
    }

    fn keys(n: usize) -> Keys {
        let words = random(n as u128, 2 * n);
        let items: Vec<_> = words.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect();
        hash(&items, 5, Layout::of(n).unwrap()).unwrap()
    }

    #[test]
    fn outputs_are_those_of_the_definition() {
        for n in [1, 7, CHUNK, 3 * CHUNK + 5] {
            let (keys, sums, coin) = (keys(n), random(2, n), 77);
            for half in [Half::Compared, Half::Private] {
                let mut out = vec![0; n];
                decoded(&sums).outputs(&keys, coin, half, &mut out).unwrap();
                for ((sum, digest), out) in sums.iter().zip(keys.digests()).zip(out) {
                    let input = digest ^ half as u128;
                    let mut block = [input];
                    Aes::new(sum ^ coin).encrypt(&mut block);
                    assert_eq!(out, block[0] ^ input);
                }
            }
        }
    }

    #[test]
    fn a_store_lies_behind_a() {
        let keys = keys(1000);
        let slots = keys.layout().slots();
        let (a, mut plain, mut out) = (random(3, slots), vec![0; slots], vec![0; slots]);
        encode(&keys, Values::Hashed, 6, &mut plain).unwrap();
        store(&keys, &Received::of(&a, &a), 6, &mut out).unwrap();
        assert!(out.iter().zip(plain).zip(&a).all(|((out, plain), a)| *out == plain ^ a));
        let mut longer = a.clone();
        longer.push(1);
        let mut again = vec![0; slots];
        store(&keys, &Received::of(&longer, &longer), 6, &mut again).unwrap();
        assert_eq!(again, out);
        assert!(store(&keys, &Received::of(&a[1..], &a[1..]), 6, &mut out).is_err());
    }

    #[test]
    fn a_sender_sums_up_what_the_definition_says() {
        let n = 2 * CHUNK + 3;
        let (keys, delta) = (keys(n), random(9, 1)[0]);
        let slots = keys.layout().slots();
        let (b, store) = (random(3, slots), random(4, slots));
        let (mut of_b, mut of_store, mut values) = (vec![0; n], vec![0; n], vec![0; n]);
        let sent = |from| Sent::of(delta, &b[from..]);
        let out = Decoded::of_sender(&sent(0), &store, &keys).unwrap().0;
        decode_sorted(&b, &keys, &mut of_b).unwrap();
        decode_sorted(&store, &keys, &mut of_store).unwrap();
        keys.values(&mut values);
        for at in 0..n {
            assert_eq!(out[at], of_b[at] ^ field::mul(delta, of_store[at] ^ values[at]));
        }
        assert!(Decoded::of_sender(&sent(1), &store, &keys).is_err());
        assert!(Decoded::of_sender(&sent(1), &store[1..], &keys).is_err());
    }
}
