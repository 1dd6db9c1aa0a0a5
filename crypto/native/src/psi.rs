//! The last steps of the VOLE-based OPRF: from a correlation and what was decoded to the PRF's output.
//!
//! Source: Raghuraman, Rindal, "Blazing fast PSI from improved OKVS and subfield VOLE" (CCS 2022), the malicious
//! variant: `F(x) = H(Decode(C, x) + w, x)` with a hash that is a random oracle of both. Here `H` is Davies-Meyer,
//! `E_k(x) ^ x` with AES-128 under the key `k = Decode(C, x) + w`, once for the half that is compared and once for
//! the half that stays private, whose block differs in its lowest bit.
#![forbid(unsafe_code)]

use crate::field;
use crate::prg::Aes;
use rayon::prelude::*;

/// Items that one thread takes at once.
const CHUNK: usize = 1 << 12;

/// `base + delta * factors` in GF(2^128), row by row, into `out`.
pub fn add_scaled(base: &[u128], delta: u128, factors: &[u128], out: &mut [u128]) {
    assert!(base.len() == factors.len() && out.len() == factors.len(), "one of each a row");
    let chunks = out.par_chunks_mut(CHUNK).zip(base.par_chunks(CHUNK).zip(factors.par_chunks(CHUNK)));
    chunks.for_each(|(out, (base, factors))| {
        out.copy_from_slice(base);
        field::add_scaled(out, delta, factors);
    });
}

/// The outputs of the PRF: of each item the half that is compared, and the half that stays private.
///
/// `decoded` and `digests` are in one order: of each item, what its slots sum to and its 128-bit digest.
pub fn outputs(decoded: &[u128], digests: &[u128], coin: u128, compared: &mut [u128], private: &mut [u128]) {
    let n = decoded.len();
    assert!(digests.len() == n && compared.len() == n && private.len() == n, "one output an item");
    let ins = decoded.par_chunks(CHUNK).zip(digests.par_chunks(CHUNK));
    let outs = compared.par_chunks_mut(CHUNK).zip(private.par_chunks_mut(CHUNK));
    outs.zip(ins).for_each(|((compared, private), (decoded, digests))| {
        let outs = compared.iter_mut().zip(private);
        for ((compared, private), (&key, &digest)) in outs.zip(decoded.iter().zip(digests)) {
            let mut blocks = [digest, digest ^ 1];
            Aes::new(key ^ coin).encrypt(&mut blocks);
            (*compared, *private) = (blocks[0] ^ digest, blocks[1] ^ digest ^ 1);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(decoded: &[u128], digests: &[u128], coin: u128) -> Vec<[u128; 2]> {
        let (mut compared, mut private) = (vec![0; decoded.len()], vec![0; decoded.len()]);
        outputs(decoded, digests, coin, &mut compared, &mut private);
        compared.into_iter().zip(private).map(|(c, p)| [c, p]).collect()
    }

    #[test]
    fn an_output_depends_on_all_that_goes_in() {
        let one = |decoded, digest, coin| of(&[decoded], &[digest], coin)[0];
        let base = one(1, 2, 3);
        assert_eq!(base, one(3, 2, 1), "the coin is added to what was decoded");
        for other in [one(5, 2, 3), one(1, 4, 3), one(1, 2, 4)] {
            assert!(other[0] != base[0] && other[1] != base[1]);
        }
        assert_ne!(base[0], base[1]);
    }

    #[test]
    fn every_item_is_done() {
        let n = 3 * CHUNK + 5;
        let decoded: Vec<u128> = (0..n as u128).collect();
        let all = of(&decoded, &decoded, 9);
        let mut sums = vec![0; n];
        add_scaled(&decoded, 7, &decoded, &mut sums);
        for i in [0, 1, CHUNK, n - 1] {
            assert_eq!(all[i], of(&decoded[i..=i], &decoded[i..=i], 9)[0]);
            assert_eq!(sums[i], decoded[i] ^ field::mul(7, decoded[i]));
        }
    }
}
