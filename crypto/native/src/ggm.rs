//! Punctured pseudorandom functions from binary trees (Goldreich, Goldwasser, Micali), of any number of leaves.
//!
//! The owner expands a root; the other party is given, for each level, the sum of the nodes on one side, and
//! so learns every leaf but the one whose path it walked (Boyle et al., CCS 2019; Schoppmann et al., ibid.).
//! A node's children are `pi_0(x) ^ x` and `pi_1(x) ^ x` under two AES keys of this tree alone: a pseudorandom
//! generator in the ideal-cipher model (Guo, Katz, Wang, Yu, S&P 2020, with Matyas-Meyer-Oseas), where keys
//! for each tree bound what one table of guesses can hit to the seeds of one tree (the multi-instance concern
//! of Guo, Katz, Wang, Weng, Yu, CRYPTO 2020). Seeds are uniform and unrelated to any other secret, so no
//! correlation robustness is asked of them. The half-tree (Guo et al., EUROCRYPT 2023) would save a quarter
//! of these calls, about one part in a hundred of a whole run, for a stronger assumption.
#![forbid(unsafe_code)]

use crate::prg::Aes;
use zeroize::Zeroizing;

/// Parents that are expanded together.
const BATCH: usize = 64;

/// Levels below the root of a tree with so many leaves.
pub fn depth(leaves: usize) -> usize {
    leaves.next_power_of_two().trailing_zeros() as usize
}

/// Fill `leaves` from the root; `sums[level]` is the exclusive or of the left and of the right nodes of each
/// level below the root. Only nodes that lead to a leaf are computed.
pub fn expand(keys: &[Aes; 2], root: u128, leaves: &mut [u128], sums: &mut [[u128; 2]]) {
    leaves[0] = root;
    for (level, sum) in sums.iter_mut().enumerate() {
        *sum = grow(keys, leaves, level, None);
    }
}

/// Fill `leaves` but the one at `hole`, which becomes zero. `known[level]` is the sum of the side that the
/// path does *not* take, as `choices` asks for it. Every hole costs the same steps.
pub fn puncture(keys: &[Aes; 2], hole: usize, known: &[u128], leaves: &mut [u128]) {
    let depth = known.len();
    leaves[0] = 0;
    for (level, known) in known.iter().enumerate() {
        let node = hole >> (depth - level - 1);
        let sums = grow(keys, leaves, level, Some(node / 2));
        let sibling = node ^ 1;
        if sibling < nodes(leaves.len(), depth, level + 1) {
            leaves[sibling] = known ^ sums[sibling & 1];
        }
    }
}

/// Which side of each level the receiver of `puncture` asks for: the one its path does not take.
pub fn choices(hole: usize, depth: usize) -> impl Iterator<Item = bool> {
    (0..depth).rev().map(move |bit| hole >> bit & 1 == 0)
}

/// How many nodes of a level lead to a leaf.
fn nodes(leaves: usize, depth: usize, level: usize) -> usize {
    leaves.div_ceil(1 << (depth - level))
}

/// Put the children of a level in its place, and return the sums of the left and of the right ones. The
/// children of the unknown parent become zero.
fn grow(keys: &[Aes; 2], tree: &mut [u128], level: usize, unknown: Option<usize>) -> [u128; 2] {
    let depth = depth(tree.len());
    let (parents, children) = (nodes(tree.len(), depth, level), nodes(tree.len(), depth, level + 1));
    let mut sides = Zeroizing::new([[0; BATCH]; 2]);
    let mut sums = [0; 2];
    for batch in (0..parents.div_ceil(BATCH)).rev() {
        let start = batch * BATCH;
        let count = BATCH.min(parents - start);
        for (side, key) in sides.iter_mut().zip(keys) {
            side[..count].copy_from_slice(&tree[start..start + count]);
            key.encrypt(&mut side[..count]);
        }
        for at in (0..count).rev() {
            let (parent, known) = (tree[start + at], u128::from(unknown != Some(start + at)));
            let mask = known.wrapping_neg();
            for side in [1, 0] {
                let (child, node) = (2 * (start + at) + side, (sides[side][at] ^ parent) & mask);
                if child < children {
                    tree[child] = node;
                    sums[side] ^= node;
                }
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> [Aes; 2] {
        [Aes::new(3), Aes::new(5)]
    }

    #[test]
    fn a_punctured_tree_is_the_tree_but_for_its_hole() {
        for leaves in (1..70).chain([127, 128, 129, 1000]) {
            let depth = depth(leaves);
            let (mut whole, mut sums) = (vec![0; leaves], vec![[0; 2]; depth]);
            expand(&keys(), 7, &mut whole, &mut sums);
            for hole in (0..leaves).step_by(1 + leaves / 40).chain([leaves - 1]) {
                let known: Vec<u128> =
                    choices(hole, depth).zip(&sums).map(|(side, sum)| sum[usize::from(side)]).collect();
                let mut punctured = vec![1; leaves];
                puncture(&keys(), hole, &known, &mut punctured);
                for (at, (leaf, got)) in whole.iter().zip(&punctured).enumerate() {
                    assert_eq!(*got, if at == hole { 0 } else { *leaf }, "{leaves} {hole} {at}");
                }
            }
        }
    }

    #[test]
    fn leaves_are_those_of_the_definition() {
        let (leaves, depth) = (13, 4);
        let (mut whole, mut sums) = (vec![0; leaves], vec![[0; 2]; depth]);
        expand(&keys(), 7, &mut whole, &mut sums);
        for (leaf, got) in whole.iter().enumerate() {
            let path = (0..depth).rev().map(|bit| leaf >> bit & 1);
            let want = path.fold(7, |node, side| {
                let mut block = [node];
                keys()[side].encrypt(&mut block);
                block[0] ^ node
            });
            assert_eq!(want, *got);
        }
    }
}
