//! The vectors of RFC 9497 (the one copy, in `tests/vectors/`), and what no vector can show.
use crate::batch::Backend;
use crate::errors::Error;
use crate::group::WIDE_BYTES;
use crate::oprf::{self, Mode, PrivateKey, Reply};
use crate::rows::Items;
use serde_json::Value;

const LABEL: &str = "test fold";

fn suites() -> Vec<(Mode, Value)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/rfc9497_ristretto255.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let modes = [(0, Mode::Oprf), (1, Mode::Voprf)];
    let find =
        |number| file["suites"].as_array().unwrap().iter().find(|suite| suite["mode"] == number).cloned();
    modes.map(|(number, mode)| (mode, find(number).expect("suite"))).to_vec()
}

/// The comma-separated parts of a vector's field.
fn parts(value: &Value) -> Vec<Vec<u8>> {
    value.as_str().unwrap().split(',').map(|part| hex::decode(part).unwrap()).collect()
}

/// Values one after the other, and where each ends.
fn pack(values: &[Vec<u8>]) -> (Vec<u8>, Vec<u64>) {
    let ends = values.iter().scan(0, |end, value| {
        *end += value.len() as u64;
        Some(*end)
    });
    (values.concat(), ends.collect())
}

/// Draws that reduce to given scalars.
fn draws(scalars: &[Vec<u8>]) -> Vec<u8> {
    scalars.iter().flat_map(|scalar| [scalar.as_slice(), &[0; WIDE_BYTES - 32]].concat()).collect()
}

fn draw(scalar: &[u8]) -> [u8; WIDE_BYTES] {
    draws(&[scalar.to_vec()]).try_into().unwrap()
}

/// Every backend that this machine can run.
fn backends() -> Vec<Backend> {
    let mut all = vec![Backend::Portable, Backend::detect()];
    all.dedup();
    all
}

#[test]
fn every_vector_of_modes_0_and_1() {
    backends().into_iter().for_each(vectors_on);
}

fn vectors_on(backend: Backend) {
    let mut seen = 0;
    for (mode, suite) in suites() {
        let key = PrivateKey::derive(&parts(&suite["seed"])[0], &parts(&suite["keyInfo"])[0], mode).unwrap();
        let same = PrivateKey::generate(Some(&draws(&parts(&suite["skSm"])[..1])), mode).unwrap();
        assert_eq!(key.public_key(), same.public_key());
        if mode == Mode::Voprf {
            assert_eq!(key.public_key().to_vec(), parts(&suite["pkSm"])[0]);
        }
        for vector in suite["vectors"].as_array().unwrap() {
            let (bytes, ends) = pack(&parts(&vector["Input"]));
            let items = Items::packed(&bytes, &ends).unwrap();
            let (blinds, blinded) =
                oprf::blind(backend, &items, Some(&draws(&parts(&vector["Blind"]))), mode).unwrap();
            assert_eq!(blinded, parts(&vector["BlindedElement"]).concat());

            let proof = vector
                .get("Proof")
                .map(|proof| (parts(&proof["proof"])[0].clone(), parts(&proof["r"])[0].clone()));
            let r = proof.as_ref().map_or([1; WIDE_BYTES], |(_, r)| draw(r));
            let (evaluated, ours) = oprf::blind_evaluate(backend, &key, &blinded, Some(&r)).unwrap();
            assert_eq!(evaluated, parts(&vector["EvaluationElement"]).concat());
            assert_eq!(ours, proof.map(|(proof, _)| proof).unwrap_or_default());

            let public_key = key.public_key();
            let proof = ours.as_slice().try_into().ok();
            let reply = proof.map(|proof| Reply {
                blinded: &blinded,
                evaluated: &evaluated,
                public_key: &public_key,
                proof,
            });
            let outputs = oprf::finalize(backend, &items, &blinds, &evaluated, reply.as_ref(), mode).unwrap();
            assert_eq!(outputs, parts(&vector["Output"]).concat());
            assert_eq!(outputs, oprf::evaluate(backend, &key, &items).unwrap());
            seen += 1;
        }
    }
    assert_eq!(seen, 5, "two vectors of mode 0, three of mode 1, one of them a batch");
}

#[test]
fn bulk_form_gives_the_outputs_of_the_rfc() {
    backends().into_iter().for_each(bulk_on);
}

fn bulk_on(backend: Backend) {
    let key = PrivateKey::derive(&[7; 32], b"bulk", Mode::Voprf).unwrap();
    for n in [0, 1, 2, 127, 128, 600] {
        let bytes: Vec<u8> = (0..n * 5).map(|at| (at * 31 % 251) as u8).collect();
        let items = Items::Rows { bytes: &bytes, width: 5 };
        let draws: Vec<u8> = (0..n * WIDE_BYTES).map(|at| (at * 17 % 253) as u8).collect();
        let (blinds, blinded) = oprf::bulk_blind(backend, &items, Some(&draws)).unwrap();
        let (mut evaluated, proof) =
            oprf::bulk_blind_evaluate(backend, &key, &blinded, Some(&[5; WIDE_BYTES]), LABEL).unwrap();
        let public_key = key.public_key();
        let proof = proof.as_slice().try_into().unwrap();
        let finalize = |evaluated: &[u8], label| {
            let reply = Reply { blinded: &blinded, evaluated, public_key: &public_key, proof };
            oprf::bulk_finalize(backend, &items, &blinds, &[reply], label)
        };
        assert_eq!(finalize(&evaluated, LABEL).unwrap(), oprf::evaluate(backend, &key, &items).unwrap());
        let servers = [3, 4, 5].map(|seed| PrivateKey::derive(&[seed; 32], b"part", Mode::Voprf).unwrap());
        let answers = servers.each_ref().map(|key| {
            oprf::bulk_blind_evaluate(backend, key, &blinded, Some(&[6; WIDE_BYTES]), LABEL).unwrap()
        });
        let keys = servers.each_ref().map(PrivateKey::public_key);
        let replies: Vec<_> = answers
            .iter()
            .zip(&keys)
            .map(|((evaluated, proof), public_key)| Reply {
                blinded: &blinded,
                evaluated,
                public_key,
                proof: proof.as_slice().try_into().unwrap(),
            })
            .collect();
        let sum = oprf::bulk_finalize(backend, &items, &blinds, &replies, LABEL).unwrap();
        let whole = PrivateKey::sum(&servers);
        assert_eq!(sum, oprf::evaluate(backend, &whole, &items).unwrap());
        assert!(matches!(
            oprf::bulk_finalize(backend, &items, &blinds, &[], LABEL),
            Err(Error::Parameter(_))
        ));
        if n > 1 {
            assert!(matches!(finalize(&evaluated, "another"), Err(Error::Verification(_))));
            let (first, second) = evaluated.split_at_mut(32);
            first.swap_with_slice(&mut second[..32]);
            assert!(matches!(finalize(&evaluated, LABEL), Err(Error::Verification(_))));
        }
    }
}
