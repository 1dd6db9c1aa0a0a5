//! Keyed BLAKE3 of many short values, in parallel, and key derivation.
#![forbid(unsafe_code)]

use crate::rows::Items;
use rayon::prelude::*;

/// Bytes of a key and of a hash.
pub const HASH_BYTES: usize = 32;
const CHUNK: usize = 1024;

/// BLAKE3 `derive_key` of the material parts, each prefixed with its length in eight bytes, little endian.
pub fn derive_key(label: &str, material: &[&[u8]]) -> [u8; HASH_BYTES] {
    let mut hasher = blake3::Hasher::new_derive_key(label);
    for part in material {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// BLAKE3 keyed hash of `prefix || item` for every item. `n * 32` bytes.
pub fn keyed_rows(key: &[u8; HASH_BYTES], prefix: &[u8], items: &Items<'_>) -> Vec<u8> {
    let mut out = vec![0; items.len() * HASH_BYTES];
    out.par_chunks_mut(CHUNK * HASH_BYTES).enumerate().for_each(|(chunk, rows)| {
        let mut message = prefix.to_vec();
        for (offset, row) in rows.chunks_exact_mut(HASH_BYTES).enumerate() {
            message.truncate(prefix.len());
            message.extend_from_slice(items.get(chunk * CHUNK + offset));
            row.copy_from_slice(blake3::keyed_hash(key, &message).as_bytes());
        }
    });
    out
}
