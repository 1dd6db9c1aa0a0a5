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

#[test]
fn examples_of_fips_197() {
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
        assert_eq!(one(&Aes::new(block(key)), block(plain)), block(cipher));
    }
}

#[test]
fn modes_are_what_they_say_at_every_length() {
    let aes = Aes::new(7);
    for n in (0..=140).chain([1000]) {
        let inputs = some(n);
        let expected = |mode: &dyn Fn(u128, u128) -> u128| -> Vec<u128> {
            inputs.iter().zip(0..).map(|(x, index)| mode(*x, index)).collect()
        };
        let mut blocks = inputs.clone();
        aes.encrypt(&mut blocks);
        assert_eq!(blocks, expected(&|x, _| one(&aes, x)));

        let first = u128::MAX - 3;
        aes.ctr(first, &mut blocks);
        assert_eq!(blocks, expected(&|_, index| one(&aes, first.wrapping_add(index))));

        blocks.clone_from(&inputs);
        cr(&aes, &mut blocks);
        assert_eq!(blocks, expected(&|x, _| one(&aes, x) ^ x));

        blocks.clone_from(&inputs);
        tccr(first, &mut blocks);
        let fixed = Aes::new(FIXED_KEY);
        let hash = |x, index: u128| {
            let inner = one(&fixed, x);
            one(&fixed, inner ^ first.wrapping_add(index)) ^ inner
        };
        assert_eq!(blocks, expected(&hash));
    }
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
