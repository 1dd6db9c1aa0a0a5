//! Shares of secrets over the prime field of 2^127 - 1: made in constant time, put together again by a party
//! that does not know which of them are wrong.
//!
//! Coefficients come from the secret itself, and a tag is a hash of it: whoever finds the secret sees that it is
//! the right one, and then which shares are wrong (Bellare, Dai, Rogaway, "Reimagining Secret Sharing", PoPETs
//! 2020, whose error detection this is, without its randomness: equal secrets are to give equal polynomials).
#![forbid(unsafe_code)]

use crate::errors::{Error, Result};
use crate::hashing::HASH_BYTES;
use rayon::prelude::*;
use zeroize::Zeroizing;

/// The order of the field.
pub const P: u128 = (1 << 127) - 1;
const ELEMENT_BYTES: usize = 16;
const CHUNK: usize = 256;

/// Bits above the 127th are worth as much as those from the first on.
fn fold(x: u128) -> u128 {
    (x & P) + (x >> 127)
}

/// The one representative below `P`, of a number of at most 2^127.
fn canonical(x: u128) -> u128 {
    let less = x.wrapping_sub(P);
    less.wrapping_add(P & 0u128.wrapping_sub(less >> 127))
}

fn add(a: u128, b: u128) -> u128 {
    canonical(fold(a + b))
}

fn sub(a: u128, b: u128) -> u128 {
    canonical(fold(a + (P - b)))
}

/// The product of two elements. No sum overflows: the greatest is below 2^128 by `2^64 - 3`.
fn mul(a: u128, b: u128) -> u128 {
    const LOW: u128 = u64::MAX as u128;
    let (a0, a1, b0, b1) = (a & LOW, a >> 64, b & LOW, b >> 64);
    let (low, middle, high) = (a0 * b0, a0 * b1 + a1 * b0, a1 * b1);
    // 2^128 = 2, and 2^64 times the bits of the middle from the 63rd on is 2^127 = 1.
    let (m0, m1) = (middle & (LOW >> 1), middle >> 63);
    canonical(fold(fold(2 * high + (m0 << 64)) + fold(low) + m1))
}

/// The inverse, by Fermat; of zero, zero.
fn invert(a: u128) -> u128 {
    let mut power = 1;
    for bit in (0..127).rev() {
        power = mul(power, power);
        if (P - 2) >> bit & 1 == 1 {
            power = mul(power, a);
        }
    }
    power
}

/// The coefficients of a secret but the constant one, from the first on.
fn coefficients(key: &[u8; HASH_BYTES], secret: u128, threshold: usize) -> Zeroizing<Vec<u128>> {
    let mut bytes = Zeroizing::new(vec![0; (threshold - 1) * ELEMENT_BYTES]);
    blake3::Hasher::new_keyed(key).update(&secret.to_le_bytes()).finalize_xof().fill(&mut bytes);
    // A word that is `P` is zero: the chance that an element comes from two is 2^-127.
    let words = bytes.as_chunks::<ELEMENT_BYTES>().0.iter();
    Zeroizing::new(words.map(|word| canonical(u128::from_le_bytes(*word) & P)).collect())
}

/// The polynomial of a secret at a point. Constant time in both.
fn share(key: &[u8; HASH_BYTES], secret: u128, point: u128, threshold: usize) -> u128 {
    let rest = coefficients(key, secret, threshold);
    let sum = rest.iter().rev().fold(0, |sum, coefficient| mul(add(sum, *coefficient), point));
    add(sum, secret)
}

fn check(elements: &[u128]) -> Result<()> {
    match elements.iter().all(|element| *element < P) {
        true => Ok(()),
        false => Err(Error::Parameter("an element of the field of 2^127 - 1 is out of range".into())),
    }
}

/// Each secret's polynomial of degree `threshold - 1` at a point of its own.
pub fn shares(
    key: &[u8; HASH_BYTES],
    secrets: &[u128],
    points: &[u128],
    threshold: usize,
    out: &mut [u128],
) -> Result<()> {
    if secrets.len() != points.len() || out.len() != points.len() || threshold < 2 {
        return Err(Error::Parameter("there is a point for each secret, and a threshold above 1".into()));
    }
    check(secrets)?;
    check(points)?;
    let inputs = secrets.par_iter().zip(points).with_min_len(CHUNK);
    out.par_iter_mut()
        .zip(inputs)
        .for_each(|(out, (secret, point))| *out = share(key, *secret, *point, threshold));
    Ok(())
}

/// What `recover` works on: records in groups, each of which may share one secret.
pub struct Groups<'a> {
    /// Where shares were taken.
    pub points: &'a [u128],
    /// The shares.
    pub shares: &'a [u128],
    /// Where each group ends.
    pub ends: &'a [u64],
    /// What the secret of each group hashes to.
    pub tags: &'a [u128],
}

/// How `recover` searches.
pub struct Search<'a> {
    /// Of the hash that gives tags.
    pub tag_key: &'a [u8; HASH_BYTES],
    /// Shares that a secret takes.
    pub threshold: usize,
    /// The most selections that are tried for a group.
    pub limit: usize,
    /// Decides which, where there are more. Nobody who chose a share must have known it.
    pub seed: &'a [u8; HASH_BYTES],
}

/// The secret of each group, where some `threshold` of its shares give one that its tag is the hash of.
pub fn recover(groups: &Groups<'_>, search: &Search<'_>) -> Result<Vec<Option<u128>>> {
    let (n, ends) = (groups.points.len(), groups.ends);
    let ascending = ends.windows(2).all(|pair| pair[0] <= pair[1]);
    if !ascending || ends.last().copied().unwrap_or(0) != n as u64 || ends.len() != groups.tags.len() {
        return Err(Error::Parameter("the ends of groups do not fit their records and tags".into()));
    }
    if groups.shares.len() != n || search.threshold < 2 {
        return Err(Error::Parameter("there is a share for each point, and a threshold above 1".into()));
    }
    check(groups.points)?;
    check(groups.shares)?;
    let one = |(index, tag): (usize, &u128)| {
        let start = index.checked_sub(1).map_or(0, |before| ends[before]) as usize;
        let range = start..ends[index] as usize;
        recover_one(&groups.points[range.clone()], &groups.shares[range], *tag, index as u64, search)
    };
    Ok(groups.tags.par_iter().enumerate().map(one).collect())
}

fn recover_one(points: &[u128], shares: &[u128], tag: u128, index: u64, search: &Search<'_>) -> Option<u128> {
    let fits = |selection: &[usize]| {
        interpolate(points, shares, selection).filter(|secret| hash(search.tag_key, *secret) == tag)
    };
    let (n, k) = (points.len(), search.threshold);
    if n < k {
        return None;
    }
    let mut selection: Vec<usize> = (0..k).collect();
    if choose(n, k) <= search.limit as u128 {
        loop {
            if let Some(secret) = fits(&selection) {
                return Some(secret);
            }
            if !advance(&mut selection, n) {
                return None;
            }
        }
    }
    let mut stream = blake3::Hasher::new_keyed(search.seed).update(&index.to_le_bytes()).finalize_xof();
    let mut order: Vec<usize> = (0..n).collect();
    (0..search.limit).find_map(|_| {
        for at in 0..k {
            let mut draw = [0; 8];
            stream.fill(&mut draw);
            order.swap(at, at + (u64::from_le_bytes(draw) % (n - at) as u64) as usize);
        }
        fits(&order[..k])
    })
}

/// The next selection in lexicographic order, or none.
fn advance(selection: &mut [usize], n: usize) -> bool {
    let k = selection.len();
    let Some(at) = (0..k).rev().find(|at| selection[*at] < n - k + at) else { return false };
    selection[at] += 1;
    for next in at + 1..k {
        selection[next] = selection[next - 1] + 1;
    }
    true
}

/// How many selections there are, or more than anyone would try.
fn choose(n: usize, k: usize) -> u128 {
    (0..k.min(n - k))
        .try_fold(1u128, |c, i| Some(c.checked_mul((n - i) as u128)? / (i + 1) as u128))
        .unwrap_or(u128::MAX)
}

fn hash(key: &[u8; HASH_BYTES], secret: u128) -> u128 {
    let mut low = [0; ELEMENT_BYTES];
    low.copy_from_slice(&blake3::keyed_hash(key, &secret.to_le_bytes()).as_bytes()[..ELEMENT_BYTES]);
    u128::from_le_bytes(low)
}

/// The value at zero of the polynomial through the selected records; none where two have one point.
///
/// With `X` the product of all points it is `X * sum(y_i / (x_i * prod(x_j - x_i)))`, in one inversion.
fn interpolate(points: &[u128], shares: &[u128], selection: &[usize]) -> Option<u128> {
    let denominator = |i: &usize| {
        let factors = selection.iter().filter(|j| *j != i).map(|j| sub(points[*j], points[*i]));
        factors.fold(points[*i], mul)
    };
    let denominators: Vec<u128> = selection.iter().map(denominator).collect();
    let mut before = Vec::with_capacity(denominators.len());
    let mut product = 1;
    for denominator in &denominators {
        before.push(product);
        product = mul(product, *denominator);
    }
    if product == 0 {
        return None;
    }
    let mut inverse = invert(product);
    let mut sum = 0;
    for (at, i) in selection.iter().enumerate().rev() {
        sum = add(sum, mul(shares[*i], mul(inverse, before[at])));
        inverse = mul(inverse, denominators[at]);
    }
    Some(selection.iter().fold(sum, |sum, i| mul(sum, points[*i])))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; HASH_BYTES] = [7; HASH_BYTES];

    /// Bit by bit, without the trick that `mul` uses.
    fn slow_mul(a: u128, b: u128) -> u128 {
        (0..127).rev().fold(0, |sum, bit| {
            let twice = (sum * 2) % P;
            (twice + if b >> bit & 1 == 1 { a } else { 0 }) % P
        })
    }

    fn samples() -> Vec<u128> {
        let mut stream = blake3::Hasher::new().update(b"samples").finalize_xof();
        let mut drawn = [0; 16 * 40];
        stream.fill(&mut drawn);
        let random = drawn.as_chunks::<16>().0.iter().map(|word| u128::from_le_bytes(*word) % P);
        let edges = [0, 1, 2, P - 1, P - 2, 1 << 63, 1 << 64, (1 << 64) - 1, (1 << 126) - 1, 1 << 126];
        random.chain(edges).collect()
    }

    #[test]
    fn arithmetic_is_that_of_the_field() {
        for a in samples() {
            for b in samples() {
                assert_eq!(mul(a, b), slow_mul(a, b));
                assert_eq!(add(a, b), (a + b) % P);
                assert_eq!(add(sub(a, b), b), a);
            }
            assert_eq!(mul(a, invert(a)), u128::from(a != 0));
        }
        assert_eq!((canonical(P), canonical(P + 1), canonical(P - 1)), (0, 1, P - 1));
    }

    #[test]
    fn any_threshold_of_shares_gives_the_secret_and_one_wrong_share_is_left_out() {
        let secrets = vec![42; 6];
        let points = [3, P - 1, 1 << 100, 77, 5, 6];
        let mut out = vec![0; 6];
        shares(&KEY, &secrets, &points, 4, &mut out).unwrap();
        out[1] = add(out[1], 1);
        let tag_key = [9; HASH_BYTES];
        let tags = [hash(&tag_key, 42)];
        let groups = Groups { points: &points, shares: &out, ends: &[6], tags: &tags };
        let search = |limit| Search { tag_key: &tag_key, threshold: 4, limit, seed: &KEY };
        assert_eq!(recover(&groups, &search(15)).unwrap(), [Some(42)]); // every selection
        assert_eq!(recover(&groups, &search(14)).unwrap(), [Some(42)]); // random ones: a third is good
        let few = Groups { points: &points[..4], shares: &out[..4], ends: &[4], tags: &tags };
        assert_eq!(recover(&few, &search(15)).unwrap(), [None]);
    }

    #[test]
    fn every_selection_comes_once() {
        let mut selection = vec![0, 1, 2];
        let mut found = vec![selection.clone()];
        while advance(&mut selection, 6) {
            found.push(selection.clone());
        }
        assert_eq!(found.len() as u128, choose(6, 3));
        assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(choose(100, 50), 100891344545564193334812497256);
        assert_eq!((choose(5, 5), choose(200, 100)), (1, u128::MAX));
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let mut out = [0; 1];
        for (secrets, points, threshold) in
            [(&[P][..], &[1][..], 2), (&[1], &[P], 2), (&[1], &[1], 1), (&[1], &[], 2)]
        {
            assert!(matches!(shares(&KEY, secrets, points, threshold, &mut out), Err(Error::Parameter(_))));
        }
        let search = Search { tag_key: &KEY, threshold: 2, limit: 1, seed: &KEY };
        for (ends, tags) in [(&[1][..], &[0][..]), (&[3], &[0]), (&[2, 1], &[0, 0]), (&[2], &[])] {
            let groups = Groups { points: &[1, 2], shares: &[1, 2], ends, tags };
            assert!(matches!(recover(&groups, &search), Err(Error::Parameter(_))));
        }
    }
}
