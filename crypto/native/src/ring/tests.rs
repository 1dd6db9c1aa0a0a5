use super::*;

const SEED: [u8; 32] = [7; 32];

/// The words of a mask, from blocks one at a time.
fn slow<W: Word>(seed: &[u8; 32], n: usize) -> Vec<W> {
    let aes = Aes256::new(seed);
    let mut bytes: Vec<u8> = Vec::new();
    for index in 0..(n * size_of::<W>()).div_ceil(BLOCK_BYTES) {
        let mut block = [0];
        aes.ctr(index as u128, &mut block);
        bytes.extend(block[0].to_le_bytes());
    }
    bytes.chunks_exact(size_of::<W>()).map(bytemuck::pod_read_unaligned).take(n).collect()
}

fn masked<W: Word>(n: usize, offset: u64, negative: bool) -> Vec<W> {
    let mut vector = vec![W::zeroed(); n];
    add_masks(&mut vector, &[Mask::new(&SEED, negative)], offset);
    vector
}

fn any_part_is_the_part_of_the_whole<W: Word + std::fmt::Debug>() {
    let n = 2 * CHUNK_BYTES / size_of::<W>() + 5;
    let whole = slow::<W>(&SEED, n);
    assert_eq!(masked::<W>(n, 0, false), whole);
    for start in (0..40).chain([1000, n - 3]) {
        for end in [start, start + 1, start + 19, n].map(|end| end.min(n)) {
            let part = masked::<W>(end - start, start as u64, false);
            assert_eq!(part, whole[start..end]);
            let mut none = masked::<W>(end - start, start as u64, true);
            none.iter_mut().zip(&part).for_each(|(word, mask)| word.add(*mask));
            assert!(none.iter().all(|word| word.number() == 0));
        }
    }
}

#[test]
fn any_part_is_the_part_of_the_whole_at_every_width() {
    any_part_is_the_part_of_the_whole::<u8>();
    any_part_is_the_part_of_the_whole::<u16>();
    any_part_is_the_part_of_the_whole::<u32>();
    any_part_is_the_part_of_the_whole::<u64>();
}

#[test]
fn places_far_out_do_not_overflow() {
    let far = masked::<u64>(3, u64::MAX - 1, false);
    assert_eq!(far[1..], masked::<u64>(2, u64::MAX, false));
}

#[test]
fn a_cap_is_found_out_wherever_it_is_passed() {
    for place in [0, 1, 499] {
        let mut vector = vec![9u16; 500];
        assert!(!exceeds(&vector, 9));
        vector[place] = 10;
        assert!(exceeds(&vector, 9));
        assert!(!exceeds(&vector, u64::MAX));
    }
    assert!(!exceeds::<u8>(&[], 0));
}

#[test]
fn a_digest_depends_on_its_place() {
    let hashes = digests(&[0; 32], &vec![0; 2 * CHUNK_BYTES + 1]);
    assert_eq!(hashes.len(), 3 * HASH_BYTES);
    assert_ne!(hashes[..HASH_BYTES], hashes[HASH_BYTES..2 * HASH_BYTES]);
    assert!(digests(&[0; 32], &[]).is_empty());
}
