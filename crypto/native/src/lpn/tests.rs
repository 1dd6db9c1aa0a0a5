use super::*;
use crate::field;

fn elements(seed: u128, n: usize) -> Vec<u128> {
    let mut out = vec![0; n];
    Aes::new(seed).ctr(0, &mut out);
    out
}

fn compress(code: &Code, elements: &[u128]) -> Vec<u128> {
    let mut elements = elements.to_vec();
    let mut out = vec![0; elements.len()];
    code.compress(&mut elements, &mut out, code.m);
    out.truncate(code.m);
    out
}

#[test]
fn it_is_linear_over_the_field() {
    for m in [1, 2, 31, 32, 33, 600, 5000] {
        let code = Code::new(m, 1);
        let (x, y) = (elements(1, 2 * m), elements(2, 2 * m));
        let sum: Vec<u128> = x.iter().zip(&y).map(|(x, y)| x ^ field::mul(77, *y)).collect();
        let want: Vec<u128> =
            compress(&code, &x).iter().zip(compress(&code, &y)).map(|(x, y)| x ^ field::mul(77, y)).collect();
        assert_eq!(compress(&code, &sum), want);
    }
}

#[test]
fn threads_do_not_matter() {
    for m in [40_000, 100_001] {
        let x = elements(1, 2 * m);
        let one = compress(&Code::new(m, 1), &x);
        assert!((2..4).all(|threads| compress(&Code::new(m, threads), &x) == one));
    }
}

#[test]
fn sparse_vectors_are_vectors() {
    for m in [16, 700, 40_000] {
        let places: Vec<usize> = (0..2 * m).step_by(1 + m / 100).collect();
        let values = elements(3, places.len());
        let mut dense = vec![0; 2 * m];
        for (place, value) in places.iter().zip(&values) {
            dense[*place] = *value;
        }
        for threads in [1, 3] {
            let code = Code::new(m, threads);
            let (mut spare, mut out) = (vec![1; 2 * m], vec![1; m]);
            code.compress_sparse(&places, &values, &mut spare, &mut out);
            assert_eq!(out, compress(&code, &dense));
            let mut less = vec![1; m - 5];
            code.compress_sparse(&places, &values, &mut spare, &mut less);
            assert_eq!(less, out[..m - 5]);
        }
    }
}
