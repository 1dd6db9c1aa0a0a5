//! A Golomb-coded set: tags as numbers below a range, in order, and of each the gap to the one before in Rice's code.
//!
//! A gap is how many numbers lie between: its quotient by `2^rice` in zeros, closed by a one, then `rice` bits. Bit 0 is
//! the lowest of byte 0; the last byte is filled up with zeros. Numbers are distinct: tags that meet are one number.
//!
//! Source: S. Golomb, IEEE Trans. IT 12 (1966); A. Kiely, IPN Progress Report 42-159 (2004), for the parameter; the
//! use as a filter is that of BIP 158.
#![forbid(unsafe_code)]

use super::{answers, reduce, Column};
use crate::errors::{Error, Result};
use crate::rows::sort_uniform;

/// The inverse of a rate at most: a gap's bits are then read at once.
pub const MAX_INVERSE: u64 = 1 << 56;
/// Numbers between two of which the index knows the place.
const STRIDE: usize = 32;

/// What a set is but its numbers.
#[derive(Clone, Copy)]
pub struct Shape {
    range: u64,
    rice: u32,
}

impl Shape {
    /// For so many items, of which one in `inverse` strangers seems to be one.
    ///
    /// # Errors
    /// `Parameter` where numbers would pass 64 bits.
    pub fn new(items: u64, inverse: u64) -> Result<Self> {
        let range = items.max(1).checked_mul(inverse).filter(|_| (2..=MAX_INVERSE).contains(&inverse));
        let Some(range) = range else {
            return Err(Error::Parameter("the numbers of such a Golomb-coded set pass 64 bits".into()));
        };
        // The best for gaps with a mean of `inverse`: log2 of the mean times ln(golden ratio), and one more.
        let rice = (u128::from(inverse) * 9624 / 10_000).max(1).ilog2();
        Ok(Self { range, rice })
    }
}

/// How many distinct numbers the tags give, and their code.
pub fn encode(shape: Shape, tags: &[u128]) -> (usize, Vec<u8>) {
    let sorted = sort_uniform(tags, |tag| (tag >> 64) as u64, Ord::cmp);
    code(shape, sorted.iter().map(|tag| reduce(*tag, shape.range)))
}

/// The same for numbers that are in order.
fn code(shape: Shape, numbers: impl Iterator<Item = u64>) -> (usize, Vec<u8>) {
    let mut out = Writer::default();
    let (mut next, mut count) = (0, 0);
    for number in numbers {
        if number >= next {
            out.gap(number - next, shape.rice);
            next = number + 1;
            count += 1;
        }
    }
    (count, out.finish())
}

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    held: u128,
    bits: u32,
}

impl Writer {
    fn gap(&mut self, gap: u64, rice: u32) {
        let mut zeros = gap >> rice;
        while zeros >= 32 {
            self.push(0, 32);
            zeros -= 32;
        }
        self.push(1 << zeros, zeros as u32 + 1);
        self.push(gap & ((1 << rice) - 1), rice);
    }

    /// Adds up to 64 bits, of which none beyond `count` is set.
    fn push(&mut self, value: u64, count: u32) {
        self.held |= u128::from(value) << self.bits;
        self.bits += count;
        if self.bits >= 64 {
            self.bytes.extend_from_slice(&(self.held as u64).to_le_bytes());
            self.held >>= 64;
            self.bits -= 64;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        let rest = self.bits.div_ceil(8) as usize;
        self.bytes.extend_from_slice(&self.held.to_le_bytes()[..rest]);
        self.bytes
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    /// Bits that were read.
    at: usize,
}

impl Reader<'_> {
    /// At least 120 bits from here on; zeros behind the end.
    #[inline]
    fn peek(&self) -> u128 {
        let rest = self.bytes.get(self.at / 8..).unwrap_or_default();
        let bits = match rest.first_chunk() {
            Some(all) => u128::from_le_bytes(*all),
            None => {
                let mut all = [0; 16];
                all[..rest.len()].copy_from_slice(rest);
                u128::from_le_bytes(all)
            }
        };
        bits >> (self.at % 8)
    }

    /// The next gap, if its quotient is at most `most`.
    #[inline]
    fn gap(&mut self, rice: u32, most: u64) -> Option<u64> {
        let (mut bits, mut quotient) = (self.peek(), 0);
        while bits as u64 == 0 {
            quotient += 64;
            self.at += 64;
            if quotient > most || self.at >= 8 * self.bytes.len() {
                return None;
            }
            bits = self.peek();
        }
        let zeros = (bits as u64).trailing_zeros();
        quotient += u64::from(zeros);
        self.at += (zeros + 1 + rice) as usize;
        let rest = (bits >> zeros >> 1) as u64 & ((1 << rice) - 1);
        (quotient <= most).then_some(quotient << rice | rest)
    }
}

/// A place in the code: the least number that may come next, and the bits before it.
pub type Place = [u64; 2];

/// Checks a code, and gives the place of every 32nd number and that behind the last.
///
/// # Errors
/// `Decode` unless these are the bytes that `encode` gives for some `count` numbers.
pub fn index(shape: Shape, count: usize, bytes: &[u8]) -> Result<Vec<Place>> {
    // A number has a bit at least: who claims more than there are asks for memory in vain.
    if count > bytes.len().saturating_mul(8) {
        return Err(malformed());
    }
    let mut places = Vec::with_capacity(count / STRIDE + 2);
    let (mut reader, mut next) = (Reader { bytes, at: 0 }, 0);
    for i in 0..count {
        if i % STRIDE == 0 {
            places.push([next, reader.at as u64]);
        }
        let room = shape.range - next;
        match reader.gap(shape.rice, room >> shape.rice) {
            Some(gap) if gap < room => next += gap + 1,
            _ => return Err(malformed()),
        }
    }
    places.push([next, reader.at as u64]);
    let spare = bytes.last().map_or(0, |last| last.leading_zeros() as usize);
    let fills = reader.at.div_ceil(8) == bytes.len() && bytes.len() * 8 <= reader.at + spare;
    if fills {
        Ok(places)
    } else {
        Err(malformed())
    }
}

/// Which tags the set holds, or seems to hold.
///
/// # Errors
/// `Parameter` if the index is none of such a code.
pub fn contains(shape: Shape, bytes: &[u8], places: &[Place], tags: &[u128]) -> Result<Vec<bool>> {
    let end = places.last().map_or(0, |place| place[1]);
    if end.div_ceil(8) != bytes.len() as u64 {
        return Err(Error::Parameter("the index is that of another code".into()));
    }
    let column = Places { places, range: shape.range };
    Ok(answers(tags, |tag| {
        let number = reduce(tag, shape.range);
        let behind = column.search(number as f64, |at| places[at][0] <= number);
        let from = behind.checked_sub(1).and_then(|at| places.get(at));
        let to = places.get(behind).map_or(end, |place| place[1]);
        from.is_some_and(|from| find(shape, bytes, *from, to, number))
    }))
}

struct Places<'a> {
    places: &'a [Place],
    range: u64,
}

impl Column for Places<'_> {
    fn len(&self) -> usize {
        self.places.len()
    }

    fn density(&self) -> f64 {
        self.len() as f64 / self.range as f64
    }

    fn value(&self, at: usize) -> f64 {
        self.places[at][0] as f64
    }
}

fn find(shape: Shape, bytes: &[u8], [mut next, at]: Place, end: u64, number: u64) -> bool {
    let mut reader = Reader { bytes, at: at as usize };
    while next <= number && (reader.at as u64) < end {
        match reader.gap(shape.rice, (number - next) >> shape.rice) {
            Some(gap) if next + gap == number => return true,
            Some(gap) => next += gap + 1,
            None => return false,
        }
    }
    false
}

fn malformed() -> Error {
    Error::Decode("the bytes are no Golomb-coded set of that shape in its one encoding".into())
}

#[cfg(test)]
mod tests {
    use super::super::tests::uniform;
    use super::*;
    use std::collections::BTreeSet;

    const SHAPES: [(usize, u64); 9] = [
        (0, 2),
        (1, 2),
        (1, MAX_INVERSE),
        (2, 1000),
        (63, 2),
        (64, 3),
        (65, 1 << 30),
        (5000, 1000),
        (70_000, 1 << 47),
    ];

    #[test]
    fn a_code_holds_its_numbers_and_no_others() {
        for (n, inverse) in SHAPES {
            let (shape, tags) = (Shape::new(n as u64, inverse).unwrap(), uniform(n, 5));
            let (count, bytes) = encode(shape, &tags);
            let numbers: BTreeSet<u64> = tags.iter().map(|tag| reduce(*tag, shape.range)).collect();
            assert_eq!(count, numbers.len());
            let places = index(shape, count, &bytes).unwrap();
            let strangers = uniform(20_000, 6);
            for (held, tag) in
                contains(shape, &bytes, &places, &strangers).unwrap().into_iter().zip(&strangers)
            {
                assert_eq!(held, numbers.contains(&reduce(*tag, shape.range)));
            }
            assert!(contains(shape, &bytes, &places, &tags).unwrap().into_iter().all(|held| held));
        }
    }

    #[test]
    fn tags_may_be_anything() {
        let shape = Shape::new(100, 1 << 40).unwrap();
        for (tags, distinct) in
            [(vec![0; 100], 1), (vec![u128::MAX; 100], 1), (vec![0, u128::MAX], 2), ((0..100).collect(), 1)]
        {
            let (count, bytes) = encode(shape, &tags);
            assert_eq!(count, distinct);
            let places = index(shape, count, &bytes).unwrap();
            assert!(contains(shape, &bytes, &places, &tags).unwrap().into_iter().all(|held| held));
        }
    }

    #[test]
    fn every_other_encoding_is_refused() {
        for (n, inverse) in SHAPES {
            let shape = Shape::new(n as u64, inverse).unwrap();
            let (count, bytes) = encode(shape, &uniform(n, 5));
            assert!(index(shape, count + 1, &bytes).is_err() || bytes.is_empty());
            assert!(index(shape, usize::MAX, &bytes).is_err());
            assert!(index(shape, count, &[&bytes[..], &[0]].concat()).is_err());
            for bit in (0..bytes.len() * 8).step_by(1 + n / 50) {
                let mut bad = bytes.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                if index(shape, count, &bad).is_ok() {
                    assert_eq!(
                        code(shape, numbers(shape, count, &bad).into_iter()),
                        (count, bad),
                        "bit {bit} is read twice"
                    );
                }
            }
        }
    }

    fn numbers(shape: Shape, count: usize, bytes: &[u8]) -> Vec<u64> {
        let (mut reader, mut next) = (Reader { bytes, at: 0 }, 0);
        let mut number = |_| {
            next += reader.gap(shape.rice, u64::MAX).unwrap() + 1;
            next - 1
        };
        (0..count).map(&mut number).collect()
    }

    #[test]
    fn who_claims_much_is_refused_at_once() {
        let shape = Shape::new(u64::from(u32::MAX), 1 << 32).unwrap();
        for bytes in [&[][..], &[0; 9], &[0xff; 9], &[1; 9]] {
            for count in [1, 72, 73, usize::MAX] {
                assert!(index(shape, count, bytes).is_err());
            }
        }
        assert!(contains(shape, &[0; 9], &[[0, 71]], &[0]).is_ok());
        assert!(contains(shape, &[0; 9], &[[0, 73]], &[0]).is_err());
        for (items, inverse) in [(1, 0), (1, 1), (1, MAX_INVERSE + 1), (1 << 32, 1 << 32)] {
            assert!(Shape::new(items, inverse).is_err());
        }
    }
}
