//! On any machine whose integer multiplication is constant time.
#![forbid(unsafe_code)]

/// A product before reduction: 256 coefficients, the low half first. Sums of products need one reduction.
type Wide = (u128, u128);

pub fn mul(a: u128, b: u128) -> u128 {
    reduce(wide(a, b))
}

pub fn scale(a: u128, xs: &mut [u128]) {
    xs.iter_mut().for_each(|x| *x = mul(a, *x));
}

pub fn add_scaled(acc: &mut [u128], a: u128, xs: &[u128]) {
    acc.iter_mut().zip(xs).for_each(|(acc, x)| *acc ^= mul(a, *x));
}

pub fn inner(xs: &[u128], ys: &[u128]) -> u128 {
    let products = xs.iter().zip(ys).map(|(x, y)| wide(*x, *y));
    reduce(products.fold((0, 0), |sum, product| (sum.0 ^ product.0, sum.1 ^ product.1)))
}

pub fn powers(x: u128, out: &mut [u128]) {
    let mut power = 1;
    for out in out {
        *out = power;
        power = mul(power, x);
    }
}

/// Karatsuba over halves of 64 bits.
fn wide(a: u128, b: u128) -> Wide {
    let (a0, a1, b0, b1) = (a as u64, (a >> 64) as u64, b as u64, (b >> 64) as u64);
    let (low, high) = (clmul(a0, b0), clmul(a1, b1));
    let middle = clmul(a0 ^ a1, b0 ^ b1) ^ low ^ high;
    (low ^ middle << 64, high ^ middle >> 64)
}

/// x^128 = x^7 + x^2 + x + 1, twice: what the first fold pushes over the edge has 7 bits.
fn reduce((low, high): Wide) -> u128 {
    let over = high >> 127 ^ high >> 126 ^ high >> 121;
    let fold = |x: u128| x ^ x << 1 ^ x << 2 ^ x << 7;
    low ^ fold(high) ^ fold(over)
}

/// The carry-less product of 64 bits by 64: the low half as it is, the high half from the reversed factors
/// (Pornin, BearSSL, `ghash_ctmul64.c`).
fn clmul(a: u64, b: u64) -> u128 {
    let high = clmul_low(a.reverse_bits(), b.reverse_bits()).reverse_bits() >> 1;
    u128::from(high) << 64 | u128::from(clmul_low(a, b))
}

/// The low half of a carry-less product, out of integer products of every fourth bit: a column sums at most
/// 16 ones, whose carry stays in the three empty bits above it; only the topmost column reaches 16, and its
/// carry leaves the word.
fn clmul_low(a: u64, b: u64) -> u64 {
    const EVERY_FOURTH: u64 = 0x1111_1111_1111_1111;
    let split = |x: u64| [0, 1, 2, 3].map(|class| x & EVERY_FOURTH << class);
    let (a, b) = (split(a), split(b));
    (0..4).fold(0, |product, class| {
        let sum = (0..4).fold(0, |sum, i| sum ^ a[i].wrapping_mul(b[(class + 4 - i) % 4]));
        product | sum & EVERY_FOURTH << class
    })
}
