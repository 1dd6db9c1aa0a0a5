//! The vector field against schoolbook arithmetic, and the vector curve against curve25519-dalek.
use super::curve::Point4;
use super::field::{limbs_of, Limbs, F4};
use super::{digits, weight, Avx2};
use crate::batch::{Backend, Points};
use crate::group::{ELEMENT_BYTES, WIDE_BYTES};
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha512};
use zeroize::Zeroize;

/// Sixteen limbs of 16 bits; slow and obvious.
type Big = [u64; 16];

fn big(bytes: [u8; 32]) -> Big {
    std::array::from_fn(|at| u64::from(bytes[2 * at]) | u64::from(bytes[2 * at + 1]) << 8)
}

/// The canonical encoding of a product modulo 2^255 - 19.
fn product(a: Big, b: Big) -> [u8; 32] {
    let mut wide = [0u64; 32];
    for (i, a) in a.iter().enumerate() {
        for (j, b) in b.iter().enumerate() {
            wide[i + j] += a * b;
        }
    }
    let mut sum: Big = std::array::from_fn(|at| wide[at] + 38 * wide[at + 16]); // 2^256 = 38
    for _ in 0..3 {
        let mut carry = 0;
        for limb in &mut sum {
            *limb += carry;
            carry = *limb >> 16;
            *limb &= 0xffff;
        }
        sum[0] += 38 * carry;
    }
    let top = sum[15] >> 15;
    sum[15] &= 0x7fff;
    sum[0] += 19 * top;
    let p: Big = std::array::from_fn(|at| {
        if at == 0 {
            0xffed
        } else if at == 15 {
            0x7fff
        } else {
            0xffff
        }
    });
    if sum.iter().rev().ge(p.iter().rev()) {
        sum = std::array::from_fn(|at| sum[at] - p[at]); // only at or just above p: no borrow
    }
    let mut bytes = [0; 32];
    for (bytes, limb) in bytes.chunks_exact_mut(2).zip(sum) {
        bytes.copy_from_slice(&(limb as u16).to_le_bytes());
    }
    bytes
}

fn uniform(seed: u64) -> [u8; WIDE_BYTES] {
    Sha512::digest(seed.to_le_bytes()).into()
}

/// Field elements: random ones, and the ends of the range, some not reduced below p.
fn elements() -> Vec<[u8; 32]> {
    let edge = |low: u8, middle: u8, high: u8| {
        let mut bytes = [middle; 32];
        (bytes[0], bytes[31]) = (low, high);
        bytes
    };
    let edges = [
        edge(0, 0, 0),
        edge(1, 0, 0),
        edge(0xec, 0xff, 0x7f),
        edge(0xed, 0xff, 0x7f),
        edge(0xff, 0xff, 0x7f),
        edge(0, 0, 0x40),
    ];
    let random = (0..26).map(|seed| {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(&uniform(seed)[..32]);
        bytes[31] &= 0x7f;
        bytes
    });
    edges.into_iter().chain(random).collect()
}

/// Four elements in the lanes, the first one at `at`.
fn four(elements: &[[u8; 32]], at: usize) -> [[u8; 32]; 4] {
    [0, 1, 2, 3].map(|lane| elements[(at + lane) % elements.len()])
}

fn load(bytes: &[[u8; 32]; 4], _: Avx2) -> F4 {
    // SAFETY: an `Avx2` is proof of AVX2.
    unsafe { F4::from_lanes(&bytes.map(|bytes| limbs_of(&bytes))) }
}

#[test]
fn products_squares_and_sums_agree_with_schoolbook() {
    let Some(avx2) = Avx2::detect() else { return };
    let all = elements();
    for i in 0..all.len() {
        for j in 0..all.len() {
            let (left, right) = (four(&all, i), four(&all, j));
            let (x, y) = (load(&left, avx2), load(&right, avx2));
            // SAFETY: `avx2` is proof of AVX2.
            let (xy, xx) = unsafe {
                // (x + y)^2 - (x - y)^2 = 4xy, through sums that are not carried.
                let xy = x.mul(&y);
                let by_squares = x.add(&y).square().sub(&x.sub(&y).square());
                assert_eq!(by_squares.to_bytes(), xy.add(&xy).add(&xy).add(&xy).to_bytes());
                (xy.to_bytes(), x.square().to_bytes())
            };
            for lane in 0..4 {
                assert_eq!(xy[lane], product(big(left[lane]), big(right[lane])));
                assert_eq!(xx[lane], product(big(left[lane]), big(left[lane])));
            }
        }
    }
}

#[test]
fn largest_limbs_do_not_overflow() {
    let Some(_avx2) = Avx2::detect() else { return };
    let full: Limbs = std::array::from_fn(|limb| (1 << (26 - limb % 2)) - 1 + (1 << 17));
    // SAFETY: this machine has AVX2.
    unsafe {
        let x = F4::splat(&full);
        let three = x.add(&x).add(&x);
        let nine = three.add(&three).add(&three);
        assert_eq!(nine.mul(&three).to_bytes(), nine.carry().mul(&three.carry()).to_bytes());
        assert_eq!(three.square().to_bytes(), three.carry().square().to_bytes());
    }
}

#[test]
fn inversion_of_many_spares_zeros() {
    let Some(avx2) = Avx2::detect() else { return };
    let all = elements();
    let mut batch: Vec<F4> = (0..all.len()).map(|at| load(&four(&all, at), avx2)).collect();
    let before = batch.clone();
    // SAFETY: `avx2` is proof of AVX2.
    unsafe {
        F4::invert_all(&mut batch);
        for (x, inverse) in before.iter().zip(&batch) {
            assert_eq!(x.invert().to_bytes(), inverse.carry().to_bytes());
            let product = x.mul(inverse).to_bytes();
            for (lane, zero) in x.is_zero().flags().into_iter().enumerate() {
                assert_eq!(product[lane][0], u8::from(!zero));
                assert!(product[lane][1..].iter().all(|&byte| byte == 0));
            }
        }
    }
}

#[test]
fn digits_add_up() {
    for seed in 0..50 {
        let scalar = match seed {
            0 => Scalar::ZERO,
            1 => -Scalar::ONE,
            _ => Scalar::from_bytes_mod_order_wide(&uniform(seed)),
        };
        let small = |digit: i64| {
            if digit < 0 {
                -Scalar::from(digit.unsigned_abs())
            } else {
                Scalar::from(digit as u64)
            }
        };
        let fold = |radix: u64, digits: &[i64]| {
            digits.iter().rev().fold(Scalar::ZERO, |sum, &digit| sum * Scalar::from(radix) + small(digit))
        };
        let nibbles: Vec<i64> = digits(&scalar).iter().map(|&digit| i64::from(digit)).collect();
        assert!(nibbles.iter().all(|digit| (-8..=8).contains(digit)));
        assert_eq!(fold(16, &nibbles), scalar);
        let bytes: Vec<i64> = weight(&scalar).iter().map(|&digit| i64::from(digit)).collect();
        assert!(bytes.iter().all(|digit| (-128..=128).contains(digit)));
        assert_eq!(fold(256, &bytes), scalar);
    }
}

fn encoded(points: &Points) -> Vec<u8> {
    let mut rows = vec![0; points.len() * ELEMENT_BYTES];
    points.encode_doubles(&mut rows);
    rows
}

fn plainly_encoded(points: &Points) -> Vec<u8> {
    let mut rows = vec![0; points.len() * ELEMENT_BYTES];
    points.encode(&mut rows);
    rows
}

#[test]
fn every_operation_agrees_with_the_portable_backend() {
    let Some(avx2) = Avx2::detect() else { return };
    let (fast, slow) = (Backend::Avx2(avx2), Backend::Portable);
    for n in [0, 1, 2, 3, 4, 5, 95, 96, 97, 300] {
        let seeds: Vec<_> = (0..n).map(uniform).collect();
        let mut scalars: Vec<_> = seeds.iter().map(Scalar::from_bytes_mod_order_wide).collect();
        // Digits of zero, the smallest and the largest scalars.
        for (scalar, edge) in
            scalars.iter_mut().zip([Scalar::ZERO, Scalar::ONE, -Scalar::ONE, Scalar::from(8u8)])
        {
            *scalar = edge;
        }
        let (a, b) = (fast.hash(&seeds), slow.hash(&seeds));
        let rows = encoded(&b);
        assert_eq!(encoded(&a), rows);
        assert_eq!(plainly_encoded(&a), plainly_encoded(&b));
        let decoded = fast.decode(&rows, 0).unwrap();
        assert_eq!(encoded(&decoded), encoded(&slow.decode(&rows, 0).unwrap()));
        let k = Scalar::from_bytes_mod_order_wide(&uniform(n + 1000));
        for k in [k, Scalar::ONE, -Scalar::ONE] {
            assert_eq!(encoded(&a.multiply(&k)), encoded(&b.multiply(&k)));
        }
        let (each_a, each_b) = (a.multiply_each(&scalars), b.multiply_each(&scalars));
        assert_eq!(encoded(&each_a), encoded(&each_b));
        assert_eq!(each_a.identity(), each_b.identity());
        assert_eq!(each_a.identity(), (n > 0).then_some(0));
        assert_eq!(encoded(&each_a.plus(&a)), encoded(&each_b.plus(&b)));
        assert_eq!(encoded(&a.plus(&each_a).minus(&each_a)), rows);
        let base = slow.hash(&[uniform(77)]).weighted_sum(&[Scalar::ONE]);
        for (ta, tb) in [(&fast.table(&base), &slow.table(&base)), (fast.generator(), slow.generator())] {
            assert_eq!(encoded(&a.add_multiples(ta, &scalars)), encoded(&b.add_multiples(tb, &scalars)));
        }
        assert_eq!(a.weighted_sum(&scalars), b.weighted_sum(&scalars));
        let short: Vec<_> = (0..n).map(|at| Scalar::from(u128::MAX - u128::from(at))).collect();
        assert_eq!(a.weighted_sum(&short), b.weighted_sum(&short));
        for bit in 0..8 {
            let chosen: Vec<_> = seeds.iter().map(|seed| seed[0] >> bit & 1 == 1).collect();
            let weights: Vec<_> = chosen.iter().map(|chosen| Scalar::from(u8::from(*chosen))).collect();
            assert_eq!(a.chosen_sum(&chosen), b.weighted_sum(&weights));
            assert_eq!(b.chosen_sum(&chosen), b.weighted_sum(&weights));
        }
        let identity = a.weighted_sum(&vec![Scalar::ZERO; n as usize]);
        assert_eq!(a.chosen_sum(&vec![false; n as usize]), identity);
    }
}

#[test]
fn both_backends_refuse_the_same_encodings() {
    let Some(avx2) = Avx2::detect() else { return };
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/rfc9496_invalid.json");
    let file: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let lists = file.as_object().unwrap().values().filter_map(|list| list.as_array());
    let mut rows: Vec<[u8; 32]> =
        lists.flatten().map(|row| hex::decode(row.as_str().unwrap()).unwrap().try_into().unwrap()).collect();
    assert_eq!(rows.len(), 29);
    rows.extend(elements());
    for row in rows {
        let verdict = |backend: Backend| backend.decode(&[row; 6].concat()[32 * 3..], 3).map(drop);
        assert_eq!(verdict(Backend::Avx2(avx2)), verdict(Backend::Portable), "{}", hex::encode(row));
    }
}

#[test]
fn an_identity_is_found_and_encodes_to_zeros() {
    let Some(avx2) = Avx2::detect() else { return };
    // SAFETY: `avx2` is proof of AVX2.
    let identity = unsafe { Point4::identity() };
    let mut points = avx2.hash(&[uniform(1), uniform(2), uniform(3), uniform(4), uniform(5)]);
    points.groups[1] = identity;
    assert_eq!(points.identity(), Some(4));
    let points = Points::Avx2(points);
    assert_eq!(plainly_encoded(&points)[4 * 32..], [0; 32]);
    let rows = encoded(&points);
    assert_eq!(rows[4 * 32..], [0; 32]);
    assert!(rows[..4 * 32].chunks(32).all(|row| row != [0; 32])); // one inversion for all, and no harm done
}

#[test]
fn wiped_points_are_zeros_in_every_lane() {
    let Some(avx2) = Avx2::detect() else { return };
    let mut point = avx2.hash(&[[7; WIDE_BYTES]; 4]).groups[0];
    let limbs = |point: &Point4| -> Vec<u32> {
        // SAFETY: `avx2` is proof of AVX2.
        let lanes = |part: &F4| unsafe { part.lanes() };
        [point.x, point.y, point.z, point.t].iter().flat_map(lanes).flatten().collect()
    };
    assert!(limbs(&point).iter().filter(|&&limb| limb != 0).count() > 150);
    point.zeroize();
    assert_eq!(limbs(&point), [0; 160]);
}
