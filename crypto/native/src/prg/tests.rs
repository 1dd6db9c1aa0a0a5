//! FIPS 197, and the modes against one block at a time.
use super::*;

/// A block from its bytes as FIPS 197 prints them.
fn block(hex: &str) -> u128 {
    u128::from_str_radix(hex, 16).unwrap().swap_bytes()
}

/// Blocks without a pattern.
fn some(n: usize) -> Vec<u128> {
    let mut state = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834_u128;
    let mut next = || {
        state = state.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645).wrapping_add(1);
        state ^ state >> 61
    };
    (0..n).map(|_| next()).collect()
}

fn one(aes: &Aes, block: u128) -> u128 {
    let mut blocks = [block];
    aes.encrypt(&mut blocks);
    blocks[0]
}

/// Every backend that this machine can run.
fn backends() -> Vec<Backend> {
    let mut all = vec![Backend::Portable];
    #[cfg(target_arch = "x86_64")]
    all.extend(
        [x86::Instructions::narrow(), x86::Instructions::wide()].into_iter().flatten().map(Backend::X86),
    );
    assert!(all.contains(&Backend::detect()));
    all
}

#[test]
fn examples_of_fips_197() {
    backends().into_iter().for_each(examples_on);
}

fn examples_on(backend: Backend) {
    for (key, plain, cipher) in [
        // Appendix B, appendix C.1
        (
            "2b7e151628aed2a6abf7158809cf4f3c",
            "3243f6a8885a308d313198a2e0370734",
            "3925841d02dc09fbdc118597196a0b32",
        ),
        (
            "000102030405060708090a0b0c0d0e0f",
            "00112233445566778899aabbccddeeff",
            "69c4e0d86a7b0430d8cdb78070b4c55a",
        ),
    ] {
        assert_eq!(one(&Aes::on(backend, block(key)), block(plain)), block(cipher));
    }
}

#[test]
fn modes_are_what_they_say_at_every_length() {
    for backend in backends() {
        // The low half of a counter does, and does not, carry over into the high half.
        for first in [0, u128::MAX - 3, 5 << 64 | 1 << 60, u128::from(u64::MAX) - 70] {
            modes_on(backend, first);
        }
    }
}

fn modes_on(backend: Backend, first: u128) {
    let (aes, fixed) = (Aes::on(backend, 7), Aes::on(backend, FIXED_KEY));
    for n in (0..=36).chain([63, 64, 65, 300]) {
        let inputs = some(n);
        let expected = |mode: &dyn Fn(u128, u128) -> u128| -> Vec<u128> {
            inputs.iter().zip(0..).map(|(x, index)| mode(*x, index)).collect()
        };
        let mut blocks = inputs.clone();
        aes.encrypt(&mut blocks);
        assert_eq!(blocks, expected(&|x, _| one(&aes, x)));

        aes.ctr(first, &mut blocks);
        assert_eq!(blocks, expected(&|_, index| one(&aes, first.wrapping_add(index))));

        blocks.clone_from(&inputs);
        cr(&aes, &mut blocks);
        assert_eq!(blocks, expected(&|x, _| one(&aes, x) ^ x));

        blocks.clone_from(&inputs);
        fixed.0.run(Mode::Tccr(first), &mut blocks);
        let hash = |x, index: u128| {
            let inner = one(&fixed, x);
            one(&fixed, inner ^ first.wrapping_add(index)) ^ inner
        };
        assert_eq!(blocks, expected(&hash));
        let mut same = inputs.clone();
        tccr(first, &mut same);
        assert_eq!(same, blocks);
    }
}

/// A column of the vectors of the oracles.
pub fn column(name: &str) -> Vec<u128> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/blocks.json");
    let file: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let blocks = file[name].as_array().unwrap();
    blocks.iter().map(|block| u128::from_str_radix(block.as_str().unwrap(), 16).unwrap()).collect()
}

#[test]
fn vectors_of_the_oracle() {
    let first = column("first")[0];
    for backend in backends() {
        let aes = Aes::on(backend, column("key")[0]);
        let modes = [("encrypt", Mode::Encrypt), ("ctr", Mode::Ctr(first)), ("cr", Mode::Cr)];
        for (name, mode) in modes {
            let mut blocks = column("x");
            aes.0.run(mode, &mut blocks);
            assert_eq!(blocks, column(name));
        }
    }
    let mut blocks = column("x");
    tccr(first, &mut blocks);
    assert_eq!(blocks, column("tccr"));
}

#[test]
fn a_generator_goes_on_where_it_stopped() {
    let mut whole = [0; 300];
    Prg::new(5).fill(&mut whole);
    let (mut prg, mut parts) = (Prg::new(5), [0; 300]);
    let (a, rest) = parts.split_at_mut(1);
    let (b, c) = rest.split_at_mut(130);
    [a, b, &mut [], c].into_iter().for_each(|part| prg.fill(part));
    assert_eq!(parts, whole);
    assert_eq!(whole[0], one(&Aes::new(5), 0));
}

/// `cargo test --release --lib speed -- --ignored --nocapture --test-threads 1`
#[test]
#[ignore = "a benchmark"]
fn speed() {
    for backend in backends() {
        let aes = Aes::on(backend, 1);
        for n in [1, 1 << 10, 1 << 20] {
            let mut blocks = some(n);
            for mode in [Mode::Encrypt, Mode::Ctr(9), Mode::Cr, Mode::Tccr(9)] {
                let nanoseconds = (0..(1 << 22) / n.max(1 << 10)).map(|_| {
                    let rounds = (1 << 10) / n.min(1 << 10);
                    let start = std::time::Instant::now();
                    (0..rounds).for_each(|_| aes.0.run(mode, &mut blocks));
                    start.elapsed().as_nanos() as f64 / (rounds * n) as f64
                });
                println!("{backend:?} {mode:?} {n}: {:.2} ns a block", nanoseconds.fold(f64::MAX, f64::min));
            }
        }
    }
}

#[test]
fn hashes_under_many_keys_are_those_under_one() {
    for backend in backends() {
        for n in (0..=20).chain([63, 64, 65]) {
            let (keys, blocks) = (some(2 * n)[n..].to_vec(), some(n));
            let mut hashes = blocks.clone();
            davies_meyer_on(backend, &keys, &mut hashes);
            for ((key, block), hash) in keys.iter().zip(&blocks).zip(hashes) {
                assert_eq!(hash, one(&Aes::on(Backend::Portable, *key), *block) ^ block);
            }
        }
    }
}
