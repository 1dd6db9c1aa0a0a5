//! Against one bit at a time, and what every field does.
use super::*;

/// Bit by bit; slow and obvious.
fn obvious(mut a: u128, b: u128) -> u128 {
    let mut product = 0;
    for bit in 0..128 {
        if b >> bit & 1 == 1 {
            product ^= a;
        }
        let carry = a >> 127;
        a <<= 1;
        if carry == 1 {
            a ^= 0x87;
        }
    }
    product
}

/// The ends of the range, single bits, and elements without a pattern.
fn some(n: usize) -> Vec<u128> {
    let mut state = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834_u128;
    let mut next = || {
        state = state.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645).wrapping_add(1);
        state ^ state >> 61
    };
    let edges = [0, 1, 2, 0x87, u128::MAX, 1 << 127, u128::from(u64::MAX), !u128::from(u64::MAX)];
    edges.into_iter().chain((0..128).map(|bit| 1 << bit)).chain((0..200).map(|_| next())).take(n).collect()
}

#[test]
fn products() {
    let elements = some(336);
    for a in &elements {
        for b in &elements {
            assert_eq!(mul(*a, *b), obvious(*a, *b), "{a:x} {b:x}");
        }
    }
}

#[test]
fn every_length() {
    let (xs, mut ys) = (some(200), some(200));
    ys.reverse();
    for n in 0..xs.len() {
        let (xs, ys) = (&xs[..n], &ys[..n]);
        for a in [0, 1, 0x87, u128::MAX, 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210] {
            let mut scaled = xs.to_vec();
            scale(a, &mut scaled);
            assert!(scaled.iter().zip(xs).all(|(scaled, x)| *scaled == obvious(a, *x)));
            let mut sums = ys.to_vec();
            add_scaled(&mut sums, a, xs);
            assert!(sums.iter().zip(ys).zip(scaled).all(|((sum, y), scaled)| *sum == y ^ scaled));
            let mut raised = vec![3; n];
            powers(a, &mut raised);
            let mut power = 1;
            for raised in raised {
                assert_eq!(raised, power);
                power = obvious(power, a);
            }
        }
        let sum = xs.iter().zip(ys).fold(0, |sum, (x, y)| sum ^ obvious(*x, *y));
        assert_eq!(inner(xs, ys), sum);
    }
}

#[test]
fn the_order_of_the_group_is_2_to_the_128_minus_1() {
    for x in some(336).into_iter().filter(|x| *x != 0) {
        let mut power = x;
        (0..127).for_each(|_| power = mul(power, power));
        assert_eq!(mul(power, power), x, "x^(2^128) = x");
        assert!(power == mul(power, 1) && power != 0);
    }
}
