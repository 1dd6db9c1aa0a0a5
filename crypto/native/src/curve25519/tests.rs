//! The vectors of the RFCs, and every backend against curve25519-dalek.
#![allow(unsafe_code)]

use super::*;
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::scalar::Scalar as Residue;
use serde_json::Value;

type Row = [u8; ROW_BYTES];

/// Every backend that this machine can run.
fn backends() -> Vec<Backend> {
    let mut all = vec![Backend::Portable];
    #[cfg(target_arch = "x86_64")]
    {
        all.extend(Avx2::detect().map(Backend::Avx2));
        all.extend(Ifma::detect().map(Backend::Ifma));
    }
    assert!(all.contains(&Backend::detect()));
    all
}

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/curve25519.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn row(text: &Value) -> Row {
    hex::decode(text.as_str().unwrap()).unwrap().try_into().unwrap()
}

/// A number as RFC 9380 prints it.
fn big_endian(text: &Value) -> Row {
    let mut row = row(text);
    row.reverse();
    row
}

fn scalar(row: Row) -> Scalar {
    Scalar::draw(Some(&row)).unwrap()
}

fn product(backend: Backend, scalar: &Scalar, u: Row) -> Row {
    let mut rows = [u];
    backend.multiply(&mut rows, scalar.bytes());
    rows[0]
}

/// A number near a multiple of p, or a power of two, below 2^256.
fn near(power: u32, offset: i8) -> Row {
    let mut row = [0; ROW_BYTES];
    let (at, bit) = (power as usize / 8, 1u8 << (power % 8));
    row[at..].iter_mut().for_each(|byte| *byte = if offset < 0 { 0xff } else { 0 });
    if offset >= 0 {
        (row[at], row[0]) = (bit, row[0] ^ offset as u8 ^ if at == 0 { bit } else { 0 });
    } else {
        row = [0xff; ROW_BYTES];
        row[at] = bit - 1;
        row[at + 1..].fill(0);
        row[0] = row[0].wrapping_add(1).wrapping_add(offset as u8);
    }
    row
}

/// The five points of small order on the curve and its twist, canonical.
fn small_order() -> [Row; 5] {
    let known = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    ];
    known.map(|text| hex::decode(text).unwrap().try_into().unwrap())
}

/// The ends of the range, of limbs and of what is canonical, then numbers without a pattern.
fn some(n: usize) -> Vec<Row> {
    let mut rows: Vec<Row> = small_order().to_vec();
    // 2^255 - 1 to 2^255 - 21 are the numbers around p, and below it.
    rows.extend((1..22).map(|offset| near(255, -offset)));
    rows.extend((0..21).map(|offset| near(255, offset)));
    rows.extend([26, 51, 52, 102, 128, 153, 204, 230, 254].map(|power| near(power, 0)));
    rows.extend([26, 51, 52, 102, 128, 153, 204, 230, 254].map(|power| near(power, -1)));
    rows.extend([[0xff; ROW_BYTES], [0x55; ROW_BYTES], [0xaa; ROW_BYTES]]);
    rows.extend((0..n as u64).map(|at| *blake3::hash(&at.to_le_bytes()).as_bytes()));
    rows
}

#[test]
fn vectors_of_rfc_7748() {
    let file = vectors();
    for backend in backends() {
        for vector in file["x25519"].as_array().unwrap() {
            let found = product(backend, &scalar(row(&vector["scalar"])), row(&vector["u"]));
            assert_eq!(found, row(&vector["product"]));
        }
        let (mut k, mut u) = (near(3, 1), near(3, 1)); // 9
        for round in 1..=1000 {
            (k, u) = (product(backend, &scalar(k), u), k);
            if let Some(expected) = file["iterated"].get(round.to_string()) {
                assert_eq!(k, row(expected));
            }
        }
    }
}

#[test]
fn vectors_of_rfc_9380() {
    for vector in vectors()["elligator2"].as_array().unwrap() {
        let (element, point) = (big_endian(&vector["element"]), big_endian(&vector["point"]));
        let cleared = MontgomeryPoint(point) * Residue::from(8u8);
        assert_eq!(cleared.0, big_endian(&vector["cleared"]));
        for backend in backends() {
            let mut rows = [element];
            backend.map(&mut rows);
            assert_eq!(rows, [point]);
        }
    }
}

#[test]
fn products_are_those_of_dalek() {
    let us = some(300);
    let ends = [[0; ROW_BYTES], [0xff; ROW_BYTES], near(254, 0)];
    for bytes in ends.into_iter().chain(us.iter().rev().take(5).copied()) {
        let expected: Vec<Row> =
            us.iter().map(|u| MontgomeryPoint(*u).mul_clamped(bytes).to_bytes()).collect();
        for backend in backends() {
            let mut rows = us.clone();
            backend.multiply(&mut rows, scalar(bytes).bytes());
            assert_eq!(rows, expected);
        }
    }
}

/// Limbs as large as the page of each file allows, which no input brings about: the arithmetic is exact there,
/// and what it returns keeps to what it promises.
#[cfg(target_arch = "x86_64")]
#[test]
fn ifma_is_exact_at_its_bounds() {
    use std::arch::x86_64::_mm512_set1_epi64;
    const FIELD: u64 = (1 << 51) + (1 << 16);
    const WIDE: u64 = 1 << 59;

    #[target_feature(enable = "avx2,avx512f,avx512dq,avx512ifma")]
    fn check(x: [u64; 5], y: [u64; 5]) {
        let (px, py) = (portable::Field(x), portable::Field(y));
        let [vx, vy] = [x, y].map(|limbs| ifma::Field(limbs.map(|limb| _mm512_set1_epi64(limb as i64))));
        let (product, square) = (vx.mul(&vy), vx.square());
        let known = [
            (product.narrow(), px.mul(&py).narrow()),
            (square.narrow(), px.square().narrow()),
            (product.add(&square).narrow(), px.mul(&py).add(&px.square()).narrow()),
            (product.sub(&square).narrow(), px.mul(&py).sub(&px.square()).narrow()),
            (vx.wide().sub(&product).narrow(), px.wide().sub(&px.mul(&py)).narrow()),
            (product.add_multiple(&vy, A24).narrow(), px.mul(&py).add_multiple(&py, A24).narrow()),
        ];
        for (found, expected) in known {
            assert_eq!(found.to_bytes(), [expected.to_bytes()[0]; ifma::LANES]);
            assert!(found.0.into_iter().all(|limb| ifma::lanes(limb)[0] < FIELD));
        }
        let wide = [product, square].map(|wide| wide.0).concat();
        assert!(wide.into_iter().all(|limb| ifma::lanes(limb)[0] < WIDE));
    }

    let patterns = |low: u64| {
        (0..32).map(move |set| [0, 1, 2, 3, 4].map(|limb| if set >> limb & 1 == 1 { FIELD - 1 } else { low }))
    };
    if Ifma::detect().is_some() {
        for (x, y) in patterns(0).flat_map(|x| patterns(1 << 50).map(move |y| (x, y))) {
            // SAFETY: this machine has AVX2, AVX512F, AVX512DQ and AVX512IFMA.
            unsafe { check(x, y) };
            unsafe { check(y, x) };
        }
    }
}

/// Groups that are not full, and zeros between others in one inversion.
#[test]
fn every_length() {
    let (us, by) = (some(0), scalar([0x77; ROW_BYTES]));
    let all: Vec<Row> = us.iter().map(|u| product(Backend::Portable, &by, *u)).collect();
    for backend in backends() {
        for n in 0..=us.len() {
            let (mut rows, mut mapped) = (us[..n].to_vec(), us[..n].to_vec());
            backend.multiply(&mut rows, by.bytes());
            assert_eq!(rows, all[..n]);
            backend.map(&mut mapped);
            mapped.retain(|u| *u != [0; ROW_BYTES]); // which 0 maps to, which p and 2^255 are, too
            assert_eq!((n <= mapped.len() + 3, backend.off_curve(&mapped)), (true, None));
        }
    }
}

#[test]
fn all_maps_agree_and_reach_the_curve_only() {
    let mut expected = some(600);
    Backend::Portable.map(&mut expected);
    assert!(expected.iter().all(|u| MontgomeryPoint(*u).to_edwards(0).is_some()));
    for backend in backends() {
        let mut rows = some(600);
        backend.map(&mut rows);
        assert_eq!(rows, expected);
    }
}

#[test]
fn the_curve_is_told_from_its_twist() {
    for u in some(600) {
        let on = MontgomeryPoint(u).to_edwards(0).is_some() && reduced(u) != [0; ROW_BYTES];
        for backend in backends() {
            assert_eq!(backend.off_curve(&[near(3, 1), u]), (!on).then_some(1));
        }
    }
}

/// The number that X25519 takes 32 bytes for.
fn reduced(mut row: Row) -> Row {
    row[31] &= 0x7f;
    portable::canonical(portable::limbs(&row))
}

#[test]
fn what_is_canonical() {
    for row in some(300) {
        assert_eq!(canonical(&row), row == reduced(row), "{}", hex::encode(row));
    }
}

#[test]
fn validation_names_the_first_bad_row() {
    let good = map_to_curve(&[7; 300 * WIDE_BYTES]);
    validate(&good).unwrap();
    validate(&[]).unwrap();
    for (bad, word) in [(near(255, -1), "canonical"), (near(1, 0), "curve"), ([0; ROW_BYTES], "curve")] {
        for at in [0, 255, 256, 299] {
            let mut rows = good.clone();
            rows[at * ROW_BYTES..][..ROW_BYTES].copy_from_slice(&bad);
            let error = validate(&rows).unwrap_err();
            assert!(matches!(&error, Error::Decode(text) if text.contains(word)), "{error}");
            assert!(error.to_string().contains(&format!("row {at} ")));
        }
    }
}

#[test]
fn points_of_small_order_are_refused_by_place() {
    let good = map_to_curve(&[7; 300 * WIDE_BYTES]);
    for small in small_order() {
        let mut rows = good.clone();
        rows[258 * ROW_BYTES..][..ROW_BYTES].copy_from_slice(&small);
        let error = multiply(&rows, &scalar([3; ROW_BYTES])).unwrap_err();
        assert!(error.to_string().contains("row 258 is a point of small order"));
    }
}

#[test]
fn an_inverse_takes_back() {
    let start = map_to_curve(&some(100).concat());
    let point = multiply(&start, &scalar([9; ROW_BYTES])).unwrap();
    for bytes in some(20) {
        let by = scalar(bytes);
        let inverse = by.inverse();
        assert_eq!((inverse.bytes()[0] & 7, inverse.bytes()[31] >> 7), (0, 0));
        let back = multiply(&multiply(&point, &by).unwrap(), &inverse).unwrap();
        assert_eq!(back, point);
    }
}

/// Modulo p, bit by bit; slow and obvious.
#[test]
fn wide_numbers_are_reduced() {
    let rows = some(200);
    for (low, high) in rows.iter().zip(rows.iter().rev()).chain(rows.iter().zip(&rows)) {
        let wide: [u8; WIDE_BYTES] = [*low, *high].concat().try_into().unwrap();
        let mut expected = [0u8; ROW_BYTES];
        for bit in (0..8 * WIDE_BYTES).rev() {
            let mut carry = u16::from(wide[bit / 8] >> (bit % 8) & 1);
            for byte in &mut expected {
                carry += 2 * u16::from(*byte);
                (*byte, carry) = (carry as u8, carry >> 8);
            }
            expected = reduced_sum(expected); // below 2^256: twice a number below p, and one
        }
        let found = reduce(&wide);
        assert_eq!(found[31] >> 7, 0);
        assert_eq!(reduced(found), expected);
    }
}

/// Of a number below 2^256, with 19 for the top bit.
fn reduced_sum(mut row: Row) -> Row {
    let mut carry = 19 * u16::from(row[31] >> 7);
    row[31] &= 0x7f;
    for byte in &mut row {
        carry += u16::from(*byte);
        (*byte, carry) = (carry as u8, carry >> 8);
    }
    reduced(row)
}

#[test]
fn items_are_expanded_by_keyed_blake3() {
    let (key, bytes) = ([5; ROW_BYTES], [1, 2, 3, 4, 5, 6]);
    let items = Items::Rows { bytes: &bytes, width: 3 };
    let mut wide = [0; 2 * WIDE_BYTES];
    for (item, wide) in bytes.chunks(3).zip(wide.chunks_mut(WIDE_BYTES)) {
        blake3::Hasher::new_keyed(&key).update(item).finalize_xof().fill(wide);
    }
    assert_eq!(encode(&key, &items), map_to_curve(&wide));
}
