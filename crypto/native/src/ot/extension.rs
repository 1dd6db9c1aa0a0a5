//! Extension of 128 base transfers: SoftSpokenOT with small fields of two elements.
//!
//! Roy, "SoftSpokenOT: Quieter OT Extension from Small-Field Silent VOLE in the Minicrypt Model", CRYPTO 2022,
//! for k = 1, which has the shape of Ishai, Kilian, Nissim and Petrank (CRYPTO 2003). The receiver's bits `x`
//! are the same in all 128 columns, which the check of section 4 (subspace VOLE) holds it to: a hash of every
//! column on its own, not of the sum of all as in Keller, Orsini and Scholl (CRYPTO 2015), whose proof fails.
//! The challenge is a hash of the columns (Fiat and Shamir), so that one message does it all.
//!
//! Bits and field elements go through one extension and one check: an element is 128 bits, each of which is
//! multiplied by `Delta`, and the products are put together again (Gilboa, CRYPTO 1999).
#![forbid(unsafe_code)]

use super::base::randomness;
use super::{block, spread, Chosen, Pairs, COUNT};
use crate::errors::{Error, Result};
use crate::field;
use crate::hashing;
use crate::prg::{self, Prg};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const BLOCK_BYTES: usize = 16;
/// Random bytes of the receiver: what hides its bits from the check.
pub const DRAW: usize = BLOCK_BYTES;
/// Bytes of the check: the hash of the bits, and that of each column.
pub const CHECK_BYTES: usize = (1 + COUNT) * BLOCK_BYTES;

/// Bits and elements of one extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Transfers.
    pub bits: usize,
    /// Products.
    pub elements: usize,
}

/// What the holder of `Delta` gets: `q_j = t_j + x_j * Delta` and `b_m = c_m + v_m * Delta`, of one place each.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Sent {
    /// Rows of the transfers.
    pub q: Vec<u128>,
    /// Shares of the products.
    pub b: Vec<u128>,
    delta: u128,
    tweak: u128,
}

/// What the holder of bits and elements gets: `t_j` and `c_m`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Received {
    /// Rows of the transfers.
    pub t: Vec<u128>,
    /// Shares of the products.
    pub c: Vec<u128>,
    tweak: u128,
}

/// What the receiver sends.
pub struct Message {
    /// `COUNT` rows of `Shape::row_bytes`.
    pub columns: Vec<u8>,
    /// `CHECK_BYTES`.
    pub check: Vec<u8>,
}

impl Shape {
    fn bit_blocks(self) -> usize {
        self.bits.div_ceil(COUNT)
    }

    /// Blocks of a column; the last one hides the others from the check.
    fn blocks(self) -> usize {
        self.bit_blocks() + self.elements + 1
    }

    /// Bytes of a column.
    pub fn row_bytes(self) -> usize {
        self.blocks() * BLOCK_BYTES
    }
}

impl Sent {
    /// Both strings of each transfer (Roy, figure 8 with the hash of GKWY, CRYPTO 2020).
    pub fn strings(&self) -> [Zeroizing<Vec<u128>>; 2] {
        [0, self.delta].map(|offset| {
            let mut rows = Zeroizing::new(self.q.iter().map(|q| q ^ offset).collect::<Vec<_>>());
            prg::tccr(self.tweak, &mut rows);
            rows
        })
    }
}

impl Received {
    /// The chosen string of each transfer.
    pub fn strings(&self) -> Zeroizing<Vec<u128>> {
        let mut rows = Zeroizing::new(self.t.clone());
        prg::tccr(self.tweak, &mut rows);
        rows
    }
}

/// What the label and the context of an extension make of the base keys; no two extensions share it.
struct Session([u8; hashing::HASH_BYTES]);

impl Session {
    fn new(label: &str, context: &[u8], shape: Shape) -> Self {
        let [bits, elements] = [shape.bits, shape.elements].map(|size| (size as u64).to_le_bytes());
        Session(hashing::derive_key(label, &[context, &bits, &elements]))
    }

    fn hash(&self, purpose: u8, parts: &[&[u8]]) -> u128 {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&[purpose]);
        parts.iter().for_each(|part| {
            hasher.update(part);
        });
        block(&hasher.finalize().into())
    }

    /// The column that a base key expands to.
    fn column(&self, transfer: usize, key: u128, blocks: usize) -> Zeroizing<Vec<u128>> {
        let mut seed = self.hash(1, &[&[transfer as u8], &key.to_le_bytes()]);
        let mut column = Zeroizing::new(vec![0; blocks]);
        Prg::new(seed).fill(&mut column);
        seed.zeroize();
        column
    }

    /// The weights of the check, of which the receiver has none before its columns are fixed.
    fn weights(&self, columns: &[u8], blocks: usize) -> Vec<u128> {
        let mut weights = vec![0; blocks - 1];
        Prg::new(self.hash(2, &[columns])).fill(&mut weights);
        weights
    }

    fn tweak(&self) -> u128 {
        self.hash(3, &[])
    }
}

/// The receiver's only step: one byte of 0 or 1 for each transfer, and the elements to multiply.
pub fn receive(
    pairs: &Pairs,
    label: &str,
    context: &[u8],
    bits: &[u8],
    elements: &[u128],
    draw: Option<&[u8]>,
) -> Result<(Received, Message)> {
    let shape = Shape { bits: bits.len(), elements: elements.len() };
    if bits.iter().any(|bit| *bit > 1) {
        return Err(Error::Parameter("a choice is 0 or 1".into()));
    }
    let mask = randomness(draw, DRAW)?;
    let mut x = Zeroizing::new(vec![0u128; shape.bit_blocks()]);
    for (at, bit) in bits.iter().enumerate() {
        x[at / COUNT] |= u128::from(*bit) << (at % COUNT);
    }
    x.reserve_exact(elements.len() + 1);
    x.extend_from_slice(elements);
    x.push(u128::from_le_bytes(std::array::from_fn(|at| mask[at])));

    let session = Session::new(label, context, shape);
    let mut columns = Vec::with_capacity(COUNT * shape.row_bytes());
    let mut t = Vec::with_capacity(COUNT);
    for (transfer, keys) in pairs.0.iter().enumerate() {
        let [zero, one] = keys.map(|key| session.column(transfer, key, shape.blocks()));
        for ((zero, one), x) in zero.iter().zip(one.iter()).zip(x.iter()) {
            columns.extend_from_slice(&(zero ^ one ^ x).to_le_bytes());
        }
        t.push(zero);
    }
    let weights = session.weights(&columns, shape.blocks());
    let mut check = fold(&weights, &x).to_le_bytes().to_vec();
    t.iter().for_each(|column| check.extend_from_slice(&fold(&weights, column).to_le_bytes()));
    let (t, c) = assemble(&t, shape);
    Ok((Received { t, c, tweak: session.tweak() }, Message { columns, check }))
}

/// The only step of the holder of `Delta`.
///
/// A message whose columns differ in `c` places passes only if `c` bits of `Delta` were guessed. Whatever
/// comes of it, a failure must end the session, and `Delta` with it.
pub fn send(
    chosen: &Chosen,
    label: &str,
    context: &[u8],
    shape: Shape,
    columns: &[u8],
    check: &[u8],
) -> Result<Sent> {
    if columns.len() != COUNT * shape.row_bytes() || check.len() != CHECK_BYTES {
        return Err(Error::Parameter("the columns or the check are of another shape".into()));
    }
    let session = Session::new(label, context, shape);
    let weights = session.weights(columns, shape.blocks());
    let mut checks = check.chunks_exact(BLOCK_BYTES).map(read);
    let of_bits = checks.next().expect("the check has 129 blocks");
    let (mut q, mut wrong) = (Vec::with_capacity(COUNT), 0);
    let rows = columns.chunks_exact(shape.row_bytes()).zip(checks);
    for (transfer, (correction, of_column)) in rows.enumerate() {
        let bit = spread(chosen.delta, transfer);
        let mut column = session.column(transfer, chosen.keys[transfer], shape.blocks());
        for (q, correction) in column.iter_mut().zip(correction.chunks_exact(BLOCK_BYTES)) {
            *q ^= read(correction) & bit;
        }
        wrong |= fold(&weights, &column) ^ of_column ^ of_bits & bit;
        q.push(column);
    }
    if wrong != 0 {
        return Err(Error::Verification("the columns of the extension do not agree".into()));
    }
    let (q, b) = assemble(&q, shape);
    Ok(Sent { q, b, delta: chosen.delta, tweak: session.tweak() })
}

/// The universal hash of a column: the last block masks a random sum of the others.
fn fold(weights: &[u128], column: &[u128]) -> u128 {
    let (mask, blocks) = column.split_last().expect("a column has a last block");
    field::inner(weights, blocks) ^ mask
}

/// Rows of the transfers, and elements put together: `sum of X^i * column_i`.
fn assemble(columns: &[Zeroizing<Vec<u128>>], shape: Shape) -> (Vec<u128>, Vec<u128>) {
    let mut rows = vec![0; shape.bit_blocks() * COUNT];
    for (at, rows) in rows.chunks_exact_mut(COUNT).enumerate() {
        rows.iter_mut().zip(columns).for_each(|(row, column)| *row = column[at]);
        transpose(rows);
    }
    rows[shape.bits..].zeroize();
    rows.truncate(shape.bits);
    let mut elements = vec![0; shape.elements];
    for column in columns.iter().rev() {
        for (element, block) in elements.iter_mut().zip(&column[shape.bit_blocks()..]) {
            *element = double(*element) ^ block;
        }
    }
    (rows, elements)
}

/// Times X in GF(2^128).
fn double(element: u128) -> u128 {
    element << 1 ^ 0x87 & spread(element, COUNT - 1)
}

/// Swap rows and columns of a square of bits, by halves.
fn transpose(square: &mut [u128]) {
    let mut width = COUNT / 2;
    let mut mask = u128::MAX >> width;
    while width > 0 {
        for start in (0..COUNT).step_by(2 * width) {
            for low in start..start + width {
                let high = low + width;
                let swap = (square[low] >> width ^ square[high]) & mask;
                square[low] ^= swap << width;
                square[high] ^= swap;
            }
        }
        width /= 2;
        mask ^= mask << width;
    }
}

fn read(bytes: &[u8]) -> u128 {
    u128::from_le_bytes(std::array::from_fn(|at| bytes[at]))
}

/// The message of a receiver with all bits zero but, in the first columns, ones; it guesses zeros of `Delta`.
#[cfg(test)]
pub(super) fn cheat(pairs: &Pairs, label: &str, context: &[u8], cheated: usize) -> Message {
    let mut message = receive(pairs, label, context, &[0; COUNT], &[], Some(&[0; DRAW])).expect("honest").1;
    let shape = Shape { bits: COUNT, elements: 0 };
    for row in message.columns.chunks_exact_mut(shape.row_bytes()).take(cheated) {
        row[..BLOCK_BYTES].iter_mut().for_each(|byte| *byte ^= 255);
    }
    let session = Session::new(label, context, shape);
    let weights = session.weights(&message.columns, shape.blocks());
    message.check = [0; BLOCK_BYTES].to_vec();
    for (transfer, keys) in pairs.0.iter().enumerate() {
        let column = session.column(transfer, keys[0], shape.blocks());
        message.check.extend_from_slice(&fold(&weights, &column).to_le_bytes());
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_swaps_rows_and_columns() {
        let mut square = [0; COUNT];
        Prg::new(7).fill(&mut square);
        let before = square;
        transpose(&mut square);
        for (row, bits) in square.iter().enumerate() {
            for (column, others) in before.iter().enumerate() {
                assert_eq!(bits >> column & 1, others >> row & 1);
            }
        }
    }

    #[test]
    fn doubling_is_multiplying_by_x() {
        for element in [0, 1, 1 << 127, u128::MAX, 0x1234_5678 << 99] {
            assert_eq!(double(element), field::mul(element, 2));
        }
    }
}
