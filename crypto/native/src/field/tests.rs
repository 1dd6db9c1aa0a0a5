//! Against one bit at a time, and what every field does.
use super::*;
use crate::prg::tests::column;

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

/// Every backend that this machine can run.
fn backends() -> Vec<Backend> {
    let mut all = vec![Backend::Portable];
    #[cfg(target_arch = "x86_64")]
    {
        let instructions = [x86::Instructions::narrow(), x86::Instructions::wide()];
        all.extend(instructions.into_iter().flatten().map(Backend::X86));
    }
    assert!(all.contains(&Backend::detect()));
    all
}

#[test]
fn products() {
    let elements = some(336);
    for a in &elements {
        for b in &elements {
            let product = obvious(*a, *b);
            assert!(backends().into_iter().all(|backend| backend.mul(*a, *b) == product), "{a:x} {b:x}");
        }
    }
}

#[test]
fn vectors_of_the_oracle() {
    let [x, y] = ["x", "y"].map(column);
    for backend in backends() {
        let products: Vec<u128> = x.iter().zip(&y).map(|(x, y)| backend.mul(*x, *y)).collect();
        assert_eq!(products, column("products"));
        assert_eq!([backend.inner(&x, &y)], *column("inner"));
        let mut powers = x.clone();
        backend.powers(y[0], &mut powers);
        assert_eq!(powers, column("powers"));
    }
}

#[test]
fn every_length() {
    backends().into_iter().for_each(every_length_on);
}

fn every_length_on(backend: Backend) {
    let (xs, mut ys) = (some(200), some(200));
    ys.reverse();
    for n in (0..=40).chain([63, 64, 65, 200]) {
        let (xs, ys) = (&xs[..n], &ys[..n]);
        for a in [0, 1, 0x87, u128::MAX, 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210] {
            let mut scaled = xs.to_vec();
            backend.scale(a, &mut scaled);
            assert!(scaled.iter().zip(xs).all(|(scaled, x)| *scaled == obvious(a, *x)));
            let mut sums = ys.to_vec();
            backend.add_scaled(&mut sums, a, xs);
            assert!(sums.iter().zip(ys).zip(scaled).all(|((sum, y), scaled)| *sum == y ^ scaled));
            let mut raised = vec![3; n];
            backend.powers(a, &mut raised);
            let mut power = 1;
            for raised in raised {
                assert_eq!(raised, power);
                power = obvious(power, a);
            }
        }
        let sum = xs.iter().zip(ys).fold(0, |sum, (x, y)| sum ^ obvious(*x, *y));
        assert_eq!(backend.inner(xs, ys), sum);
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

#[test]
#[should_panic(expected = "pairs")]
fn factors_without_a_partner() {
    inner(&[1, 2], &[3]);
}

#[test]
#[should_panic(expected = "each term")]
fn terms_without_a_sum() {
    add_scaled(&mut [1], 5, &[1, 2]);
}

/// `cargo test --release --lib field::tests::speed -- --ignored --nocapture`
#[test]
#[ignore = "a benchmark"]
fn speed() {
    type Work<'a> = (&'a str, &'a dyn Fn(Backend, &mut [u128], &mut [u128]));
    let works: [Work<'_>; 5] = [
        ("mul", &|on, xs, _| xs[0] = xs.iter().fold(1, |product, x| on.mul(product, *x))),
        ("scale", &|on, xs, _| on.scale(7 << 99, xs)),
        ("add_scaled", &|on, xs, ys| on.add_scaled(xs, 7 << 99, ys)),
        ("inner", &|on, xs, ys| ys[0] = on.inner(xs, ys)),
        ("powers", &|on, xs, _| on.powers(7 << 99, xs)),
    ];
    for backend in backends() {
        for (name, work) in works {
            for n in [1 << 10, 1 << 20] {
                let (mut xs, mut ys) = (vec![3 << 77; n], vec![5 << 88; n]);
                let nanoseconds = (0..if n > 1 << 10 { 5 } else { 3000 }).map(|_| {
                    let start = std::time::Instant::now();
                    work(backend, &mut xs, &mut ys);
                    start.elapsed().as_nanos() as f64 / n as f64
                });
                println!("{backend:?} {name} {n}: {:.2} ns an element", nanoseconds.fold(f64::MAX, f64::min));
            }
        }
    }
}
