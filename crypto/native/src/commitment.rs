//! A Merkle commitment to a set of rows, and openings of single rows.
//!
//! A leaf is the hash of a blinding value and its row; the blinding value is pseudo-random to all who do not hold
//! the salt, so that neither a leaf nor a node can be tested against a guess. Leaves are sorted, so that the place
//! of a row says nothing about it. The tree is that of RFC 6962: a node without a sibling moves up as it is. The
//! root binds the number of leaves as well, which fixes the shape of the tree.
//!
//! Source: B. Laurie et al., RFC 9162 "Certificate Transparency Version 2.0", section 2.1.
#![forbid(unsafe_code)]

use crate::errors::{Error, Result};
use crate::memory::Big;
use crate::rows::sort_uniform;
use rayon::prelude::*;

/// Bytes of a row, of a key and of every hash.
pub const HASH_BYTES: usize = 32;
/// A hash, or a key of hashes.
pub type Hash = [u8; HASH_BYTES];
/// Hashes that a task takes at once.
const GRAIN: usize = 1024;

/// The keys of the hashes that everybody knows: they keep apart what is hashed.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    /// Of a blinding value and its row.
    pub leaf: &'a Hash,
    /// Of two nodes.
    pub node: &'a Hash,
    /// Of the number of leaves and the node above all.
    pub root: &'a Hash,
}

/// What shows that a row is committed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The blinding value of the row.
    pub blind: Hash,
    /// The place of its leaf.
    pub index: u64,
    /// The siblings from the leaf up.
    pub path: Vec<Hash>,
}

impl Keys<'_> {
    fn leaf(&self, blind: &Hash, row: &Hash) -> Hash {
        pair(self.leaf, blind, row)
    }

    fn root(&self, n: u64, top: &Hash) -> Hash {
        let mut message = [0; 8 + HASH_BYTES];
        message[..8].copy_from_slice(&n.to_le_bytes());
        message[8..].copy_from_slice(top);
        blake3::keyed_hash(self.root, &message).into()
    }

    /// The sorted leaves of a set; none may repeat.
    fn leaves(&self, blind: &Hash, rows: &[Hash]) -> Result<Big<Hash>> {
        let mut leaves = Big::scratch(rows.len());
        leaves
            .par_iter_mut()
            .zip(rows)
            .with_min_len(GRAIN)
            .for_each(|(leaf, row)| *leaf = self.leaf(&blinding(blind, row), row));
        let sorted = sort_uniform(&leaves, lead, Ord::cmp);
        if sorted.par_windows(2).any(|two| two[0] == two[1]) {
            return Err(Error::Parameter("a committed set repeats a row".into()));
        }
        Ok(sorted)
    }

    /// The node above some leaves, at least one; and the siblings on the way from the leaf at `index`.
    fn climb(&self, leaves: &[Hash], mut index: usize) -> (Hash, Vec<Hash>) {
        let (mut level, mut path) = (leaves.to_vec(), Vec::new());
        while level.len() > 1 {
            path.extend(level.get(index ^ 1));
            index /= 2;
            level = level
                .par_chunks(2)
                .with_min_len(GRAIN)
                .map(|two| if let [left, right] = two { pair(self.node, left, right) } else { two[0] })
                .collect();
        }
        (level[0], path)
    }
}

/// The commitment to a set of rows under the key of its blinding values.
///
/// The node above an empty set is the blinding value of the empty string, which is no row's.
pub fn root(keys: Keys<'_>, blind: &Hash, rows: &[Hash]) -> Result<Hash> {
    let top =
        if rows.is_empty() { blinding(blind, &[]) } else { keys.climb(&keys.leaves(blind, rows)?, 0).0 };
    Ok(keys.root(rows.len() as u64, &top))
}

/// The opening of a row, or `None` if it is not in the set.
pub fn open(keys: Keys<'_>, blind: &Hash, rows: &[Hash], row: &Hash) -> Result<Option<Opening>> {
    let leaves = keys.leaves(blind, rows)?;
    let own = blinding(blind, row);
    let Ok(index) = leaves.binary_search(&keys.leaf(&own, row)) else { return Ok(None) };
    Ok(Some(Opening { blind: own, index: index as u64, path: keys.climb(&leaves, index).1 }))
}

/// Whether a row is one of the `n` that a root commits to.
pub fn verify(keys: Keys<'_>, root: &Hash, n: u64, row: &Hash, opening: &Opening) -> bool {
    if opening.index >= n {
        return false;
    }
    let (mut at, mut last) = (opening.index, n - 1);
    let mut node = keys.leaf(&opening.blind, row);
    let mut path = opening.path.iter();
    while last > 0 {
        // The last node of a level of odd length has no sibling.
        if at % 2 == 1 || at < last {
            let Some(sibling) = path.next() else { return false };
            node =
                if at % 2 == 1 { pair(keys.node, sibling, &node) } else { pair(keys.node, &node, sibling) };
        }
        at /= 2;
        last /= 2;
    }
    path.next().is_none() && keys.root(n, &node) == *root
}

fn blinding(key: &Hash, row: &[u8]) -> Hash {
    blake3::keyed_hash(key, row).into()
}

fn pair(key: &Hash, left: &Hash, right: &Hash) -> Hash {
    let mut message = [0; 2 * HASH_BYTES];
    message[..HASH_BYTES].copy_from_slice(left);
    message[HASH_BYTES..].copy_from_slice(right);
    blake3::keyed_hash(key, &message).into()
}

fn lead(hash: &Hash) -> u64 {
    let mut prefix = [0; 8];
    prefix.copy_from_slice(&hash[..8]);
    u64::from_be_bytes(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: Keys<'_> = Keys { leaf: &[1; 32], node: &[2; 32], root: &[3; 32] };
    const BLIND: Hash = [4; 32];

    fn set(n: u64) -> Vec<Hash> {
        (0..n).map(|i| blake3::hash(&i.to_le_bytes()).into()).collect()
    }

    /// The definition of RFC 9162, 2.1.1: the first part is the largest power of two below `n`.
    fn above(leaves: &[Hash]) -> Hash {
        if let [leaf] = leaves {
            return *leaf;
        }
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        pair(KEYS.node, &above(left), &above(right))
    }

    #[test]
    fn the_tree_is_that_of_the_definition() {
        for n in (1..70).chain([1000, 4096, 4097]) {
            let rows = set(n);
            let mut leaves: Vec<_> = rows.iter().map(|r| KEYS.leaf(&blinding(&BLIND, r), r)).collect();
            leaves.sort_unstable();
            assert_eq!(root(KEYS, &BLIND, &rows).unwrap(), KEYS.root(n, &above(&leaves)));
        }
    }

    #[test]
    fn every_row_opens_and_no_other() {
        for n in (0..20).chain([33]) {
            let rows = set(n);
            let root = root(KEYS, &BLIND, &rows).unwrap();
            for row in &rows {
                let opening = open(KEYS, &BLIND, &rows, row).unwrap().unwrap();
                assert!(verify(KEYS, &root, n, row, &opening));
                assert!(!verify(KEYS, &root, n + 1, row, &opening));
                assert!(!verify(KEYS, &root, n, &[9; 32], &opening));
                let longer = Opening { path: [opening.path.clone(), vec![[0; 32]]].concat(), ..opening };
                assert!(!verify(KEYS, &root, n, row, &longer));
            }
            assert_eq!(open(KEYS, &BLIND, &rows, &[9; 32]).unwrap(), None);
        }
    }

    #[test]
    fn the_order_of_rows_does_not_matter_and_none_may_repeat() {
        let mut rows = set(100);
        let before = root(KEYS, &BLIND, &rows).unwrap();
        rows.reverse();
        assert_eq!(root(KEYS, &BLIND, &rows).unwrap(), before);
        assert_ne!(root(KEYS, &[5; 32], &rows).unwrap(), before);
        rows.push(rows[40]);
        assert!(root(KEYS, &BLIND, &rows).is_err());
    }

    #[test]
    fn an_empty_set_hides_behind_its_salt() {
        assert_ne!(root(KEYS, &BLIND, &[]).unwrap(), root(KEYS, &[5; 32], &[]).unwrap());
    }
}
