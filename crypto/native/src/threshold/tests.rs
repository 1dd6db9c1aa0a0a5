use super::field::{add, inverse, multiply, reduce, subtract, value};
use super::*;

const KEY: [u8; 32] = [5; 32];

/// Numbers without a pattern.
fn some(seed: u64, n: usize) -> Vec<u64> {
    let mut blocks = vec![0; n];
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    Aes256::new(&bytes).ctr(0, &mut blocks);
    blocks.into_iter().map(reduce).collect()
}

fn items(seed: u64, n: usize) -> Vec<[u8; ITEM_BYTES]> {
    let words = some(seed, n * 8);
    words.chunks(8).map(|words| bytemuck::cast::<[u64; 8], _>(words.try_into().unwrap())).collect()
}

#[test]
fn the_field_is_one() {
    let edges = [0, 1, 2, PRIME - 2, PRIME - 1];
    for a in edges.into_iter().chain(some(1, 50)) {
        for b in edges.into_iter().chain(some(2, 50)) {
            let (wide_a, wide_b, prime) = (u128::from(a), u128::from(b), u128::from(PRIME));
            assert_eq!(u128::from(add(a, b)), (wide_a + wide_b) % prime);
            assert_eq!(u128::from(subtract(a, b)), (wide_a + prime - wide_b) % prime);
            assert_eq!(u128::from(multiply(a, b)), wide_a * wide_b % prime);
            assert_eq!(u128::from(reduce(wide_a << 64 | wide_b)), (wide_a << 64 | wide_b) % prime);
        }
        assert_eq!(multiply(a, inverse(a)), u64::from(a != 0));
    }
    for edge in [u128::MAX, u128::from(PRIME), u128::from(PRIME) << 61, u128::from(PRIME) << 67] {
        assert_eq!(u128::from(reduce(edge)), edge % u128::from(PRIME));
    }
}

/// The sets of `t` that Lagrange's coefficients at zero find, as the definition has it.
fn lagrange(cells: &[Vec<u64>], points: &[u64], t: usize) -> Vec<(usize, u128)> {
    let mut found = Vec::new();
    for set in (0u128..1 << cells.len()).filter(|set| set.count_ones() as usize == t) {
        let chosen: Vec<usize> = (0..cells.len()).filter(|at| set >> at & 1 == 1).collect();
        (0..cells[0].len()).for_each(|place| {
            let sum = chosen.iter().fold(0, |sum, i| {
                let others = chosen.iter().filter(|j| *j != i);
                let weight = others.fold(1, |weight, j| {
                    multiply(weight, multiply(points[*j], inverse(subtract(points[*j], points[*i]))))
                });
                add(sum, multiply(weight, cells[*i][place]))
            });
            if sum == 0 {
                found.push((place, set));
            }
        });
    }
    found
}

fn sets(found: &Sets, n: usize) -> Vec<(usize, u128)> {
    let masks =
        found.members.chunks(n).map(|row| row.iter().rev().fold(0, |set, flag| set << 1 | u128::from(*flag)));
    found.places.iter().map(|place| *place as usize).zip(masks).collect()
}

#[test]
fn it_finds_what_the_definition_finds() {
    for (n, t) in [(2, 2), (5, 2), (3, 3), (7, 3), (6, 4), (7, 5), (5, 5)] {
        let points = some(7, n);
        // More than one block, and a part of one.
        let mut cells: Vec<Vec<u64>> = (0..n as u64).map(|member| some(100 + member, 150)).collect();
        for (place, size) in [(0, t), (63, n), (64, t - 1), (65, t.max(n - 1)), (149, t)] {
            let polynomial = some(place as u64, t - 1);
            for at in 0..size {
                let member = (at + place) % n;
                cells[member][place] = value(&polynomial, points[member]);
            }
        }
        let views: Vec<&[u64]> = cells.iter().map(Vec::as_slice).collect();
        let found = sets(&find(&views, &points, t).unwrap(), n);
        let expected = lagrange(&cells, &points, t);
        let mut parts: Vec<(usize, u128)> = Vec::new();
        for (place, set) in &found {
            let inside = |part: &u128| part.count_ones() as usize == t && part & set == *part;
            parts.extend((0..1 << n).filter(inside).map(|part| (*place, part)));
        }
        parts.sort_unstable();
        let mut sorted = expected.clone();
        sorted.sort_unstable();
        assert_eq!(parts, sorted);
        let mut places: Vec<usize> = found.iter().map(|(place, _)| *place).collect();
        assert_eq!(places.len(), 4);
        places.dedup();
        assert_eq!(places, [0, 63, 65, 149]);
    }
}

#[test]
fn two_sets_at_one_place_are_two() {
    let points = some(3, 8);
    let mut cells: Vec<Vec<u64>> = (0..8).map(|member| some(50 + member, 2)).collect();
    for (members, seed) in [([0, 2, 5], 1), ([1, 6, 7], 2)] {
        members.into_iter().for_each(|at| cells[at][1] = value(&some(seed, 2), points[at]));
    }
    let views: Vec<&[u64]> = cells.iter().map(Vec::as_slice).collect();
    let found = find(&views, &points, 3).unwrap();
    assert_eq!(sets(&found, 8), [(1, 0b0010_0101), (1, 0b1100_0010)]);
}

#[test]
fn sets_that_honest_members_cannot_make_are_refused() {
    // Three lines through one of seven cells.
    let points = some(3, 7);
    let mut cells: Vec<Vec<u64>> = (0..7).map(|member| some(50 + member, 1)).collect();
    for pair in [[1, 2], [3, 4], [5, 6]] {
        let first = multiply(cells[0][0], inverse(points[0]));
        for at in pair {
            let slope = some(pair[0] as u64, 1)[0];
            let divided = add(first, multiply(slope, subtract(points[at], points[0])));
            cells[at][0] = multiply(divided, points[at]);
        }
    }
    let views: Vec<&[u64]> = cells.iter().map(Vec::as_slice).collect();
    assert!(matches!(find(&views, &points, 3), Err(Error::Decode(_))));
    assert_eq!(find(&views[..5], &points[..5], 4).unwrap(), Sets::default());
}

#[test]
fn what_is_no_table_is_refused() {
    let cells = [&[1, 2][..], &[3, 4], &[5, 6]];
    assert!(find(&cells, &[1, 2, 3], 3).is_ok());
    for (points, t) in
        [(&[1, 2, 1][..], 3), (&[0, 1, 2], 3), (&[1, 2, PRIME], 3), (&[1, 2], 2), (&[1, 2, 3], 4)]
    {
        assert!(matches!(find(&cells, points, t), Err(Error::Parameter(_))));
    }
    assert!(matches!(find(&cells, &[1, 2, 3], 1), Err(Error::Parameter(_))));
    assert!(matches!(find(&[&[1], &[2, 3]], &[1, 2], 2), Err(Error::Parameter(_))));
    assert!(matches!(find(&[&[1, PRIME], &[2, 3]], &[1, 2], 2), Err(Error::Decode(_))));
    for shape in
        [(1, 9, 4), (MAX_THRESHOLD + 1, 9, 4), (3, 0, 4), (3, 9, 0), (3, 1 << 28, 5), (3, 9, 1 << 14)]
    {
        let (threshold, bins, tables) = shape;
        assert!(Shape { key: &KEY, threshold, bins, tables }.build(&[], 1, &[0; 32]).is_err());
    }
    assert!(Shape { key: &KEY, threshold: 3, bins: 9, tables: 2 }.build(&[], 0, &[0; 32]).is_err());
    assert!(values(&KEY, &items(0, 2), &[0], &[1], 3).is_err());
}

#[test]
fn a_cell_is_what_its_slot_says_and_the_rest_is_filled() {
    let items = items(4, 40);
    for tables in [1, 2, 5] {
        let shape = Shape { key: &KEY, threshold: 4, bins: 90, tables };
        let made = shape.build(&items, 77, &[1; 32]).unwrap();
        let filled = shape.build(&[], 77, &[1; 32]).unwrap();
        assert!(filled.slots.iter().all(|slot| *slot == FILLER));
        let mut stored = 0;
        for (at, (cell, slot)) in made.cells.iter().zip(&made.slots).enumerate() {
            let expected = match slot {
                -1 => filled.cells[at],
                slot => {
                    stored += 1;
                    let place = 2 * (at / 90) as u32 + (slot & 1) as u32;
                    values(&KEY, &items[(slot >> 1) as usize..][..1], &[place], &[77], 4).unwrap()[0]
                }
            };
            assert_eq!(*cell, expected);
        }
        assert!((20 * tables..80 * tables).contains(&stored));
    }
}

#[test]
fn more_than_one_set_has_a_polynomial_of_its_own_each_time() {
    let item = items(9, 1)[0];
    let mut seen: Vec<u64> =
        (0..40).map(|place| values(&KEY, &[item], &[place], &[3], 3).unwrap()[0]).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 40);
}
