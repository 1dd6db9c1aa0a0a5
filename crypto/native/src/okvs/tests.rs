//! The store against dense elimination of the same matrix, with shared and with random cases.
use super::hash::Band;
use super::*;
use crate::prg::Prg;

const SALT: u128 = 0x5a17;
const SEED: u128 = 0x5eed;

fn items(n: usize) -> Vec<[u128; 2]> {
    let mut words = vec![0; 2 * n];
    Prg::new(n as u128).fill(&mut words);
    words.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect()
}

fn keys(items: &[[u128; 2]]) -> Keys {
    hash(items, SALT, Layout::of(items.len()).unwrap()).unwrap()
}

fn encoded(keys: &Keys, values: Values<'_>) -> Vec<u128> {
    let mut table = vec![1; keys.layout().slots()];
    encode(keys, values, SEED, &mut table).unwrap();
    table
}

fn decoded(table: &[u128], keys: &Keys) -> Vec<u128> {
    let mut out = vec![1; keys.len()];
    decode(table, keys, &mut out).unwrap();
    out
}

fn bands(keys: &Keys) -> Vec<Band> {
    let mut all = Vec::new();
    keys.bands(0..keys.len(), |_, bands| all.extend_from_slice(bands));
    all
}

fn naive(table: &[u128], band: &Band) -> u128 {
    let selected = (0..BAND).filter(|bit| band.mask >> bit & 1 == 1);
    selected.fold(0, |sum, bit| sum ^ table[band.start + bit])
}

/// Reduced echelon form of the rows, as lists of slots, with columns in the order that fixes the pivots: the
/// lower half upwards, the upper half downwards, then the middle.
fn oracle(keys: &Keys, values: &[u128]) -> Option<Vec<u128>> {
    let layout = keys.layout();
    let (slots, low) = (layout.slots(), (layout.buckets() / 2) << layout.bucket_log());
    let high = low + BAND - 1;
    let columns: Vec<usize> = (0..low).chain((high..slots).rev()).chain(low..high).collect();
    let mut rows: Vec<(Vec<bool>, u128)> = Vec::new();
    for (band, &value) in bands(keys).iter().zip(values) {
        let covers = |slot: usize| slot >= band.start && slot < band.start + BAND;
        rows.push(((0..slots).map(|s| covers(s) && band.mask >> (s - band.start) & 1 == 1).collect(), value));
    }
    let mut table = vec![0; slots];
    Aes::new(SEED).ctr(0, &mut table);
    let mut pivots = Vec::new();
    for column in columns {
        let Some(at) = (pivots.len()..rows.len()).find(|&at| rows[at].0[column]) else { continue };
        rows.swap(pivots.len(), at);
        let (chosen, value) = rows[pivots.len()].clone();
        for (at, row) in rows.iter_mut().enumerate() {
            if at != pivots.len() && row.0[column] {
                row.0.iter_mut().zip(&chosen).for_each(|(bit, other)| *bit ^= other);
                row.1 ^= value;
            }
        }
        pivots.push(column);
    }
    if pivots.len() < rows.len() {
        return None;
    }
    let free = table.clone();
    for (&pivot, (row, value)) in pivots.iter().zip(&rows) {
        let others = (0..slots).filter(|&slot| slot != pivot && row[slot]);
        table[pivot] = others.fold(*value, |sum, slot| sum ^ free[slot]);
    }
    Some(table)
}

#[test]
fn the_table_is_what_dense_elimination_gives() {
    for n in [0, 1, 2, 3, 40, 300, 500, 900] {
        let keys = keys(&items(n));
        let mut values = vec![0; n];
        keys.values(&mut values);
        let expected = oracle(&keys, &values).unwrap();
        assert_eq!(encoded(&keys, Values::Hashed), expected, "{n}");
    }
}

#[test]
fn crowded_systems_have_an_encoding_exactly_if_they_have_full_rank() {
    let mut outcomes = [0; 2];
    for salt in 0..40 {
        let items = items(1152 - salt as usize);
        let keys = hash(&items, salt, Layout::with_starts(1024)).unwrap();
        let mut values = vec![0; keys.len()];
        keys.values(&mut values);
        let mut table = vec![1; keys.layout().slots()];
        let outcome = encode(&keys, Values::Hashed, SEED, &mut table);
        match oracle(&keys, &values) {
            Some(expected) => assert_eq!((outcome, &table), (Ok(()), &expected)),
            None => {
                assert!(matches!(outcome, Err(Error::Encoding(_))));
                assert!(table.iter().all(|&slot| slot == 0));
            }
        }
        outcomes[usize::from(table[0] == 0)] += 1;
    }
    assert!(outcomes.iter().all(|&count| count > 3), "{outcomes:?}");
}

#[test]
fn every_key_decodes_to_its_value() {
    for n in [1, 7, 1000, 20_000, 150_000] {
        let keys = keys(&items(n));
        let mut given = vec![0; n];
        Prg::new(1).fill(&mut given);
        let table = encoded(&keys, Values::Given(&given));
        assert_eq!(decoded(&table, &keys), given, "{n}");

        let mut values = vec![0; n];
        keys.values(&mut values);
        let table = encoded(&keys, Values::Hashed);
        let mut sorted = vec![1; n];
        decode_sorted(&table, &keys, &mut sorted).unwrap();
        assert_eq!(sorted, values, "{n}");
    }
}

#[test]
fn sums_are_those_of_the_bands_however_sparse_the_keys() {
    let layout = Layout::of(60_000).unwrap();
    let mut table = vec![0; layout.slots()];
    Prg::new(3).fill(&mut table);
    for n in [1, 2, 30, 500, 5000, 60_000] {
        let keys = hash(&items(n), SALT, layout).unwrap();
        let mut sorted = vec![1; n];
        decode_sorted(&table, &keys, &mut sorted).unwrap();
        let expected: Vec<u128> = bands(&keys).iter().map(|band| naive(&table, band)).collect();
        assert_eq!(sorted, expected, "{n}");
        let mut by_item = vec![0; n];
        keys.order().iter().zip(&expected).for_each(|(&item, &sum)| by_item[item as usize] = sum);
        assert_eq!(decoded(&table, &keys), by_item, "{n}");
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let items = items(150_000);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let keys = keys(&items);
            (keys.order().to_vec(), keys.digests().to_vec(), encoded(&keys, Values::Hashed))
        })
    };
    assert!(run(1) == run(3));
}

#[test]
fn keys_ascend_and_stay_within_their_layout() {
    for n in [0, 1, 513, 70_000] {
        let items = items(n);
        let keys = keys(&items);
        let bands = bands(&keys);
        assert!(bands.is_sorted_by_key(|band| band.start));
        assert!(bands.iter().all(|band| band.mask & 1 == 1 && band.start < keys.layout().starts()));
        let mut order: Vec<u32> = keys.order().to_vec();
        order.sort_unstable();
        assert!(order.into_iter().eq(0..n as u32));
    }
}

#[test]
fn repeated_items_are_the_callers_mistake() {
    let mut items = items(2000);
    items[1999] = items[3];
    let keys = keys(&items);
    let mut table = vec![1; keys.layout().slots()];
    let outcome = encode(&keys, Values::Hashed, SEED, &mut table);
    assert_eq!(outcome, Err(Error::Parameter("an item stands twice".into())));
    assert!(table.iter().all(|&slot| slot == 0));
    let all_equal = hash(&vec![items[0]; 50_000], SALT, Layout::of(50_000).unwrap()).unwrap();
    let mut table = vec![1; all_equal.layout().slots()];
    assert!(matches!(encode(&all_equal, Values::Hashed, SEED, &mut table), Err(Error::Parameter(_))));
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let keys = keys(&items(10));
    let (mut table, mut out) = (vec![0; keys.layout().slots()], vec![0; 10]);
    assert!(encode(&keys, Values::Hashed, SEED, &mut table[1..]).is_err());
    assert!(encode(&keys, Values::Given(&[0; 9]), SEED, &mut table).is_err());
    assert!(decode(&table[1..], &keys, &mut out).is_err());
    assert!(decode(&table, &keys, &mut out[1..]).is_err());
    assert!(decode_sorted(&table, &keys, &mut out[1..]).is_err());
    assert!(Layout::of(MAX_KEYS + 1).is_err());
}

#[test]
fn every_bit_of_every_slot_is_set_half_of_the_time() {
    let keys = keys(&items(400));
    let mut table = vec![0; keys.layout().slots()];
    let mut ones = vec![[0u32; 128]; table.len()];
    let runs = 400;
    for seed in 0..runs {
        let mut values = vec![0; keys.len()];
        Prg::new(1 << 64 | u128::from(seed)).fill(&mut values);
        encode(&keys, Values::Given(&values), u128::from(seed), &mut table).unwrap();
        for (ones, slot) in ones.iter_mut().zip(&table) {
            (0..128).for_each(|bit| ones[bit] += (slot >> bit & 1) as u32);
        }
    }
    // 200 +- 10 each: seven deviations off for one of 82,000 has a chance of about 2e-7
    let worst = ones.iter().flatten().map(|&count| count.abs_diff(runs / 2)).max();
    assert!(worst <= Some(70), "{worst:?}");
}
