//! Silent vector OLE over GF(2^128): `c = delta * a + b`, the receiver with `(a, c)`, the sender with
//! `(delta, b)`, where `a` looks uniform and most of it never crosses the wire.
//!
//! Boyle, Couteau, Gilboa, Ishai, Kohl, Rindal, Scholl (CCS 2019), with the single-point protocol and the check
//! of Weng, Yang, Katz, Wang ("Wolverine", S&P 2021, figures 7 and 8) in the batched form of Yang, Weng, Lan,
//! Zhang, Wang ("Ferret", CCS 2020, figure 6):
//!
//! 1. The receiver draws `NOISE` places, one in each of as many blocks, and a value `y` for each. One
//!    extension of oblivious transfer (`ot::extension`) asks for the nodes beside each path, and shares
//!    `delta * y` for each value and for one more that masks the check.
//! 2. The sender expands a tree for each block, and sends the masked sums of each level, and for each tree
//!    `b_i` plus the sum of its leaves; so the receiver finds `leaf + delta * y` where it knows no leaf.
//! 3. The receiver answers with a point `chi` and `x = y_mask + sum of chi^(place + 1) * y`; the sender with a
//!    hash of `sum of chi^(i + 1) * b_i + b_mask + delta * x`, which is `sum of chi^(i + 1) * c_i + c_mask`
//!    if its trees are trees. A sender that cheats passes only by guessing something of the places, and
//!    a guess that fails ends the session; the weight of the noise is chosen with that in mind.
//! 4. Both compress (`lpn`).
#![forbid(unsafe_code)]

mod powers;

use crate::errors::{Error, Result};
use crate::lpn::Code;
use crate::memory::Big;
use crate::prg::{Aes, Prg};
use crate::{field, ggm, hashing};
use powers::Powers;
use rayon::prelude::*;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Noise places, one in each block of the sparse vector.
///
/// A linear test of relative weight d misses all of them with chance `(1 - d)^NOISE`, below 2^-128 for
/// d = 0.30; over this field words that can be found have about d = 0.50 (docs/protocols/silent-vole.md).
pub const NOISE: usize = 250;
/// The smallest block: below it, places could be guessed and the code has no length to mix in.
const LEAST_LEAVES: usize = 128;
const MAX_LEAVES: usize = 1 << 22;
const BLOCK_BYTES: usize = 16;
/// Random bytes of either party.
pub const DRAW_BYTES: usize = 32;
/// What makes the trees of a session its own.
const SALT_BYTES: usize = 32;
/// A point, and the masked sum at it.
pub const CHALLENGE_BYTES: usize = 2 * BLOCK_BYTES;
/// The hash that answers it.
pub const ANSWER_BYTES: usize = 32;
const TREES: &str = "cosight 2026 silent vole trees v1";
const DRAWS: &str = "cosight 2026 silent vole draws v1";
const ANSWER: &str = "cosight 2026 silent vole answer v1";

/// How large everything is, of the number of elements wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params {
    count: usize,
    leaves: usize,
}

impl Params {
    /// For at least `count` elements: they are made in multiples of `NOISE / 2`, and never fewer than 16000.
    pub fn new(count: usize) -> Result<Self> {
        let leaves = count.div_ceil(NOISE / 2).max(LEAST_LEAVES);
        if count == 0 || leaves > MAX_LEAVES {
            return Err(Error::Parameter("between one and 2^28 elements are made at a time".into()));
        }
        Ok(Self { count, leaves })
    }

    /// Elements of the sparse vector.
    fn len(self) -> usize {
        NOISE * self.leaves
    }

    fn depth(self) -> usize {
        ggm::depth(self.leaves)
    }

    /// Oblivious transfers, with the receiver's choices.
    pub fn transfers(self) -> usize {
        NOISE * self.depth()
    }

    /// Products of `delta` with elements of the receiver's.
    pub fn products(self) -> usize {
        NOISE + 1
    }

    /// Bytes of the message with the trees.
    pub fn trees_bytes(self) -> usize {
        SALT_BYTES + NOISE * (2 * self.depth() + 1) * BLOCK_BYTES
    }

    fn code(self) -> Code {
        Code::new(self.len() / 2, rayon::current_num_threads())
    }
}

/// The party that gets `(a, c)`. Wiped when dropped.
#[derive(ZeroizeOnDrop)]
pub struct Receiver {
    #[zeroize(skip)]
    params: Params,
    context: Vec<u8>,
    /// Where in its block each place is.
    holes: Vec<usize>,
    /// The value at each place, and the mask.
    values: Vec<u128>,
    point: u128,
    /// `delta * value + b` for the sparse vector; empty before `puncture`.
    sparse: Big<u128>,
    expected: [u8; ANSWER_BYTES],
    verified: bool,
}

/// The party that gets `(delta, b)`. Wiped when dropped.
#[derive(ZeroizeOnDrop)]
pub struct Sender {
    #[zeroize(skip)]
    params: Params,
    context: Vec<u8>,
    delta: u128,
    mask: u128,
    sparse: Big<u128>,
}

impl Receiver {
    /// Step 1: draw places and values.
    pub fn new(count: usize, context: &[u8], draw: &[u8; DRAW_BYTES]) -> Result<Self> {
        let params = Params::new(count)?;
        let mut words = Zeroizing::new(vec![0; 2 * NOISE + 2]);
        Prg::new(block(&hashing::derive_key(DRAWS, &[draw]))).fill(&mut words);
        let (places, values) = words.split_at(NOISE);
        let (values, point) = values.split_at(NOISE + 1);
        let leaves = params.leaves as u128; // the bias of the upper 96 bits is below 2^-70
        Ok(Self {
            params,
            context: context.to_vec(),
            holes: places.iter().map(|word| (((word >> 32) * leaves) >> 96) as usize).collect(),
            values: values.to_vec(),
            point: point[0],
            sparse: Big::zeros(0),
            expected: [0; ANSWER_BYTES],
            verified: false,
        })
    }

    /// A byte of 0 or 1 for each transfer.
    pub fn choices(&self) -> Zeroizing<Vec<u8>> {
        let depth = self.params.depth();
        Zeroizing::new(self.holes.iter().flat_map(|hole| ggm::choices(*hole, depth)).map(u8::from).collect())
    }

    /// The elements to multiply with `delta`.
    pub fn elements(&self) -> &[u128] {
        &self.values
    }

    /// Where the sparse vector is not zero.
    fn places(&self) -> Vec<usize> {
        self.holes.iter().enumerate().map(|(tree, hole)| tree * self.params.leaves + hole).collect()
    }

    /// Step 3: the sparse vector, of the chosen string of each transfer, our share of each product and the
    /// sender's message. Returns the challenge.
    pub fn puncture(&mut self, strings: &[u128], shares: &[u128], message: &[u8]) -> Result<Vec<u8>> {
        let (leaves, depth) = (self.params.leaves, self.params.depth());
        sizes(self.params, strings.len(), shares.len())?;
        if message.len() != self.params.trees_bytes() || !self.sparse.is_empty() {
            return Err(Error::Parameter("the trees are of another size, or not due".into()));
        }
        let (salt, trees) = message.split_at(SALT_BYTES);
        let session = session(&self.context, salt);
        self.sparse = Big::scratch(self.params.len());
        self.sparse
            .par_chunks_mut(leaves)
            .zip(trees.par_chunks(trees.len() / NOISE))
            .zip(strings.par_chunks(depth))
            .zip(self.holes.par_iter().zip(shares))
            .enumerate()
            .for_each(|(tree, (((block, sums), strings), (hole, share)))| {
                let mut sums = sums.chunks_exact(BLOCK_BYTES).map(self::block);
                let mut known = Zeroizing::new([0; usize::BITS as usize]);
                for ((known, string), side) in known.iter_mut().zip(strings).zip(ggm::choices(*hole, depth)) {
                    let both = [sums.next(), sums.next()].map(Option::unwrap_or_default);
                    *known = string ^ both[0] ^ (both[0] ^ both[1]) & u128::from(side).wrapping_neg();
                }
                ggm::puncture(&tree_keys(&session, tree), *hole, &known[..depth], block);
                let sum = block.iter().fold(0, |sum, leaf| sum ^ leaf);
                block[*hole] = sums.next().unwrap_or_default() ^ sum ^ share;
            });
        let powers = Powers::new(self.point);
        let noise = self.places().into_iter().zip(&self.values);
        let x =
            noise.fold(self.values[NOISE], |x, (place, value)| x ^ field::mul(powers.at(place + 1), *value));
        let sum = powers.inner(&self.sparse) ^ shares[NOISE];
        self.expected = answer(&self.context, sum);
        Ok([self.point.to_le_bytes(), x.to_le_bytes()].concat())
    }

    /// Whether the sender's trees were trees. After a failure nothing of this session may be used.
    pub fn verify(&mut self, answer: &[u8]) -> Result<()> {
        let expected = self.expected.iter().zip(answer);
        let differs = expected.fold(0, |differs, (a, b)| differs | std::hint::black_box(a ^ b));
        if self.sparse.is_empty() || answer.len() != ANSWER_BYTES || differs != 0 {
            take(&mut self.sparse).zeroize();
            return Err(Error::Verification("the correlation of the sender is none".into()));
        }
        self.verified = true;
        Ok(())
    }

    /// Step 4: `a` and `c`.
    pub fn finish(mut self) -> Result<Received> {
        if !self.verified {
            return Err(Error::Parameter("the correlation was not verified".into()));
        }
        let (Params { count, .. }, len) = (self.params, self.params.len());
        let (code, mut noise, mut both) = (self.params.code(), take(&mut self.sparse), Big::scratch(len));
        code.compress(&mut noise, &mut both, count);
        code.compress_sparse(
            &self.places(),
            &self.values[..NOISE],
            &mut noise,
            &mut both[len / 2..][..count],
        );
        Ok(Received { count, both })
    }
}

impl Sender {
    /// Step 2: expand trees, of both strings of each transfer and our share of each product. Returns their
    /// message, too.
    pub fn expand(
        count: usize,
        context: &[u8],
        draw: &[u8; DRAW_BYTES],
        delta: u128,
        strings: [&[u128]; 2],
        shares: &[u128],
    ) -> Result<(Self, Vec<u8>)> {
        let params = Params::new(count)?;
        let (leaves, depth) = (params.leaves, params.depth());
        sizes(params, strings[0].len(), shares.len())?;
        sizes(params, strings[1].len(), shares.len())?;
        let mut words = Zeroizing::new(vec![0; NOISE + SALT_BYTES / BLOCK_BYTES]);
        Prg::new(block(&hashing::derive_key(DRAWS, &[draw]))).fill(&mut words);
        let (roots, salt) = words.split_at(NOISE);
        let mut message: Vec<u8> = salt.iter().flat_map(|word| word.to_le_bytes()).collect();
        let session = session(context, &message);
        message.resize(params.trees_bytes(), 0);
        let mut sparse = Big::scratch(params.len());
        let trees = &mut message[SALT_BYTES..];
        let tree_bytes = trees.len() / NOISE;
        sparse.par_chunks_mut(leaves).zip(trees.par_chunks_mut(tree_bytes)).enumerate().for_each(
            |(tree, (block, message))| {
                let mut sums = Zeroizing::new([[0; 2]; usize::BITS as usize]);
                let sums = &mut sums[..depth];
                ggm::expand(&tree_keys(&session, tree), roots[tree], block, sums);
                let mut out = message.chunks_exact_mut(BLOCK_BYTES);
                let mut write = |word: u128| {
                    if let Some(out) = out.next() {
                        out.copy_from_slice(&word.to_le_bytes());
                    }
                };
                for (level, sums) in sums.iter().enumerate() {
                    for (sum, strings) in sums.iter().zip(strings) {
                        write(sum ^ strings[tree * depth + level]);
                    }
                }
                write(block.iter().fold(shares[tree], |sum, leaf| sum ^ leaf));
            },
        );
        Ok((Self { params, context: context.to_vec(), delta, mask: shares[NOISE], sparse }, message))
    }

    /// Step 3: the hash that a challenge asks for.
    pub fn answer(&self, challenge: &[u8; CHALLENGE_BYTES]) -> [u8; ANSWER_BYTES] {
        let (point, x) = challenge.split_at(BLOCK_BYTES);
        let sum = Powers::new(block(point)).inner(&self.sparse);
        answer(&self.context, sum ^ self.mask ^ field::mul(self.delta, block(x)))
    }

    /// Step 4: `b`.
    pub fn finish(mut self) -> Sent {
        let (Params { count, .. }, len) = (self.params, self.params.len());
        let (mut noise, mut b) = (take(&mut self.sparse), Big::scratch(len));
        self.params.code().compress(&mut noise, &mut b, count);
        Sent { delta: self.delta, count, b }
    }
}

/// The receiver's half of a correlation. Bulk vectors are not wiped when they are dropped.
pub struct Received {
    count: usize,
    /// `c` at its beginning, `a` from its middle on.
    both: Big<u128>,
}

impl Received {
    /// One that was made before.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn of(a: &[u128], c: &[u128]) -> Self {
        let count = a.len();
        let mut both = Big::scratch(2 * count);
        let (to_c, to_a) = both.split_at_mut(count);
        to_c.copy_from_slice(c);
        to_a.copy_from_slice(a);
        Self { count, both }
    }

    /// What looks uniform.
    pub fn a(&self) -> &[u128] {
        &self.both[self.both.len() / 2..][..self.count]
    }

    /// `delta * a + b`.
    pub fn c(&self) -> &[u128] {
        &self.both[..self.count]
    }
}

/// The sender's half of a correlation, whose `delta` is wiped when it is dropped.
#[derive(ZeroizeOnDrop)]
pub struct Sent {
    delta: u128,
    #[zeroize(skip)]
    count: usize,
    #[zeroize(skip)]
    b: Big<u128>,
}

impl Sent {
    /// One that was made before.
    pub fn of(delta: u128, elements: &[u128]) -> Self {
        let mut b = Big::scratch(elements.len());
        b.copy_from_slice(elements);
        Self { delta, count: b.len(), b }
    }

    /// The factor.
    pub fn delta(&self) -> u128 {
        self.delta
    }

    /// What `c` has more than `delta * a`.
    pub fn b(&self) -> &[u128] {
        &self.b[..self.count]
    }
}

/// Leaves an empty array.
fn take(array: &mut Big<u128>) -> Big<u128> {
    std::mem::replace(array, Big::zeros(0))
}

fn sizes(params: Params, strings: usize, shares: usize) -> Result<()> {
    if strings != params.transfers() || shares != params.products() {
        return Err(Error::Parameter("transfers or products are of another number".into()));
    }
    Ok(())
}

/// The first block of some bytes.
fn block(bytes: &[u8]) -> u128 {
    bytes.iter().take(BLOCK_BYTES).rev().fold(0, |word, byte| word << 8 | u128::from(*byte))
}

/// Keys of the trees of one session.
fn session(context: &[u8], salt: &[u8]) -> Aes {
    Aes::new(block(&hashing::derive_key(TREES, &[context, salt])))
}

fn tree_keys(session: &Aes, tree: usize) -> [Aes; 2] {
    let mut keys = [0; 2];
    session.ctr(2 * tree as u128, &mut keys);
    keys.map(Aes::new)
}

fn answer(context: &[u8], sum: u128) -> [u8; ANSWER_BYTES] {
    hashing::derive_key(ANSWER, &[context, &sum.to_le_bytes()])
}

#[cfg(test)]
mod tests;
