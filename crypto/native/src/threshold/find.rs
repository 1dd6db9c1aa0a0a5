//! Which members' cells are values of one polynomial.
//!
//! `f(x) / x` has one degree less than `f` and no other condition. A cell divided by its point is a value of it, so
//! `t` of them belong together if and only if their divided difference of order `t - 1` is zero: if two of order
//! `t - 2`, which have all but one point in common, are equal. So a place takes a product for each set of `t - 1`
//! members, and for each set of `t` a comparison, instead of `t` products: Lagrange's test, with the same result.
//!
//! Equality is looked for in the lower 32 bits first, of many places at once.
#![forbid(unsafe_code)]

use super::field::{inverse, multiply, points, subtract, PRIME};
use super::threshold;
use crate::errors::{Error, Result};
use rayon::prelude::*;

/// A set of members is one word.
pub const MAX_MEMBERS: usize = 128;
/// Places that are looked at together.
const BLOCK: usize = 64;

type Block<T> = [T; BLOCK];

/// Places, and beside each the members whose cells there belong together: a byte for each member, 1 or 0.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sets {
    /// Ascending; one comes again for each of its sets.
    pub places: Vec<i64>,
    /// `places.len() * n`.
    pub members: Vec<u8>,
}

/// The largest sets of `t` members or more whose cells at one place are values of one polynomial.
///
/// Among honest members the sets of a place have no member in common. More than fit together so are refused:
/// only members that work together can make them, and memory must not be theirs to fill.
pub fn find(cells: &[&[u64]], points: &[u64], t: usize) -> Result<Sets> {
    threshold(t)?;
    self::points(points)?;
    let n = cells.len();
    if n != points.len() || !(t..=MAX_MEMBERS).contains(&n) {
        return Err(Error::Parameter(format!("there are {t} to {MAX_MEMBERS} members, each with a point")));
    }
    let length = cells[0].len();
    if cells.iter().any(|cells| cells.len() != length) {
        return Err(Error::Parameter("all members have tables of one size".to_owned()));
    }
    let over = |from: u64| points.iter().map(|point| inverse(subtract(*point, from))).collect();
    let field = Field { divided: points.iter().map(|point| over(*point)).collect(), first: over(0), t };
    let found: Vec<_> = (0..length.div_ceil(BLOCK))
        .into_par_iter()
        .map_init(|| Search::new(&field), |search, block| search.block(cells, block * BLOCK))
        .collect::<Result<_>>()?;
    let mut sets = Sets::default();
    for (place, set) in found.into_iter().flatten() {
        sets.places.push(place as i64);
        sets.members.extend((0..n).map(|member| (set >> member & 1) as u8));
    }
    Ok(sets)
}

/// What is the same at every place: `1 / (x_k - x_i)` and `1 / x_k`.
struct Field {
    divided: Vec<Vec<u64>>,
    first: Vec<u64>,
    t: usize,
}

/// Room for a block, and what was found in it.
struct Search<'a> {
    field: &'a Field,
    /// For each order from 0 to `t - 2`, and for each member, the divided difference of some and this member.
    differences: Vec<Vec<Block<u64>>>,
    /// The lower halves of those of the last order.
    lower: Vec<Block<u32>>,
    /// At each place of the block.
    found: Vec<Vec<u128>>,
    /// More than honest members have.
    excess: bool,
}

impl<'a> Search<'a> {
    fn new(field: &'a Field) -> Self {
        let n = field.first.len();
        let differences = vec![vec![[0; BLOCK]; n]; field.t - 1];
        Self { field, differences, lower: vec![[0; BLOCK]; n], found: vec![Vec::new(); BLOCK], excess: false }
    }

    /// What is found in the places from `start` on.
    fn block(&mut self, cells: &[&[u64]], start: usize) -> Result<Vec<(usize, u128)>> {
        let width = BLOCK.min(cells[0].len() - start);
        for ((values, cells), first) in self.differences[0].iter_mut().zip(cells).zip(&self.field.first) {
            let cells = &cells[start..start + width];
            if cells.iter().fold(false, |large, cell| large | (*cell >= PRIME)) {
                return Err(Error::Decode("a cell is no number modulo 2^61 - 1".to_owned()));
            }
            values.iter_mut().zip(cells).for_each(|(value, cell)| *value = multiply(*cell, *first));
        }
        self.descend(0, 0, 0, width);
        if self.excess {
            return Err(Error::Decode(
                "more cells belong together than those of honest members can".to_owned(),
            ));
        }
        Ok((start..)
            .zip(&mut self.found)
            .flat_map(|(at, sets)| sets.drain(..).map(move |set| (at, set)))
            .collect())
    }

    /// Try all sets that begin with `set`, which has `order` members, all before `from`.
    fn descend(&mut self, order: usize, from: usize, set: u128, width: usize) {
        let (n, t) = (self.field.first.len(), self.field.t);
        if order + 2 == t {
            return self.pairs(from, set, width);
        }
        for member in from..n + 1 + order - t {
            let (before, after) = self.differences.split_at_mut(order + 1);
            let (before, after) = (&before[order], &mut after[0]);
            for other in member + 1..n {
                let inverse = self.field.divided[member][other];
                let pairs = before[other].iter().zip(&before[member]);
                for (to, (value, base)) in after[other].iter_mut().zip(pairs) {
                    *to = multiply(subtract(*value, *base), inverse);
                }
            }
            self.descend(order + 1, member + 1, set | 1 << member, width);
        }
    }

    /// Compare all pairs of the last order.
    fn pairs(&mut self, from: usize, set: u128, width: usize) {
        let last = &self.differences[self.field.t - 2][from..];
        let lower = &mut self.lower[from..];
        for (lower, values) in lower.iter_mut().zip(last) {
            lower.iter_mut().zip(values).for_each(|(lower, value)| *lower = *value as u32);
        }
        for a in 0..last.len() {
            for b in a + 1..last.len() {
                let pairs = lower[a].iter().zip(&lower[b]);
                if !pairs.fold(false, |equal, (a, b)| equal | (a == b)) {
                    continue;
                }
                for at in (0..width).filter(|at| last[a][*at] == last[b][*at]) {
                    let set = set | 1 << (from + a) | 1 << (from + b);
                    self.excess |= !insert(&mut self.found[at], self.field, set);
                }
            }
        }
    }
}

/// Add a set of `t`, if there is room. With `t - 1` members in common two sets are of one polynomial.
fn insert(sets: &mut Vec<u128>, field: &Field, set: u128) -> bool {
    let room = sets.len() < field.first.len() / field.t;
    let same = sets.iter_mut().find(|other| (**other & set).count_ones() as usize >= field.t - 1);
    match same {
        Some(other) => *other |= set,
        None if room => sets.push(set),
        None => return false,
    }
    true
}
