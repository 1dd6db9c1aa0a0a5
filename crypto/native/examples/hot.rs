//! The kernel's hot functions, one at a time on items that are always the same, for whoever counts instructions.
//!
//! ```text
//! valgrind --tool=callgrind cargo run --release --example hot -- NAME N
//! ```
//!
//! `python -m benchmarks.instructions` runs each at two sizes; the difference is what the items took. Nothing here is
//! random: seeds and scalars are constants, and one thread does it all, so a count is the same wherever it is made
//! with this compiler and these instructions.
#![forbid(unsafe_code)]

use _native::batch::Backend;
use _native::curve25519::{self, Scalar};
use _native::okvs::{self, Layout, Values};
use _native::oprf::{self, Mode, PrivateKey};
use _native::prg::Prg;
use _native::ring::{self, Mask};
use _native::rows::{self, Items, Table};
use _native::{discovery, field, filters, hashing, lpn, machine, shamir, tagset, threshold};
use std::hint::black_box;

const SEED: u128 = 0x5eed;
const KEY: [u8; 32] = [7; 32];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (name, n) = (arguments.next().unwrap_or_default(), arguments.next());
    let subjects = subjects();
    match (subjects.iter().find(|(known, _)| *known == name), n.and_then(|n| n.parse().ok())) {
        (Some((_, run)), Some(n)) => run(n),
        _ => {
            println!("{:?}", machine::backends());
            subjects.iter().for_each(|(known, _)| println!("{known}"));
        }
    }
}

type Subject = (&'static str, fn(usize));

fn subjects() -> Vec<Subject> {
    vec![
        ("hash items", |n| {
            let bytes = bytes(16 * n);
            black_box(hashing::keyed_rows(&KEY, b"line", &Items::Rows { bytes: &bytes, width: 16 }));
        }),
        ("sort rows", |n| {
            black_box(rows::sort(&table(&bytes(32 * n))));
        }),
        ("join rows", |n| {
            let (left, right) = (bytes(32 * n), bytes(48 * n));
            black_box(rows::join(&table(&left), &table(&right[..32 * n])).expect("distinct"));
        }),
        ("oprf blind", |n| {
            let (items, draws) = (bytes(32 * n), bytes(64 * n));
            let items = Items::Rows { bytes: &items, width: 32 };
            black_box(oprf::bulk_blind(Backend::detect(), &items, Some(&draws)).expect("valid"));
        }),
        ("oprf evaluate", |n| {
            let points = Backend::detect().hash(bytes(64 * n).as_chunks().0);
            let mut rows = vec![0; 32 * n];
            points.encode_doubles(&mut rows);
            let key = PrivateKey::derive(&KEY, b"hot", Mode::Voprf).expect("a key");
            black_box(oprf::blind_evaluate(Backend::detect(), &key, &rows, Some(&[9; 64])).expect("valid"));
        }),
        ("curve25519 multiply", |n| {
            let points = curve25519::map_to_curve(&bytes(64 * n));
            let scalar = Scalar::draw(Some(&KEY)).expect("any bytes are a scalar");
            black_box(curve25519::multiply(&points, &scalar).expect("no point of small order"));
        }),
        ("okvs encode", |n| {
            let keys = okvs::hash(&pairs(n), SEED, layout(n)).expect("few enough");
            let mut table = vec![0; keys.layout().slots()];
            okvs::encode(&keys, Values::Hashed, SEED, &mut table).expect("it has a solution");
            black_box(table);
        }),
        ("okvs decode", |n| {
            let keys = okvs::hash(&pairs(n), SEED, layout(n)).expect("few enough");
            let table = words(keys.layout().slots());
            let mut out = vec![0; n];
            okvs::decode_sorted(&table, &keys, &mut out).expect("the sizes fit");
            black_box(out);
        }),
        ("lpn compress", |n| {
            let (mut noise, mut spare) = (words(2 * n), vec![0; 2 * n]);
            lpn::Code::new(n, 1).compress(&mut noise, &mut spare, n);
            black_box(noise);
        }),
        ("field scale", |n| {
            let mut xs = words(n);
            field::scale(SEED, &mut xs);
            black_box(xs);
        }),
        ("tagset pack", |n| {
            let tags = words(n);
            let mut packed = vec![0; tagset::packed_bytes(n)];
            tagset::pack(&tags, &mut packed);
            black_box(packed);
        }),
        ("bloom insert", |n| {
            let shape = filters::bloom::Shape::new(14, 512, n.div_ceil(25)).expect("a shape");
            black_box(filters::bloom::insert(shape, &words(n)));
        }),
        ("ring add masks", |n| {
            let mut vector = vec![0u32; n];
            ring::add_masks(&mut vector, &[Mask::new(&KEY, false), Mask::new(&[8; 32], true)], 0);
            black_box(vector);
        }),
        ("threshold find", |n| {
            let points: Vec<u64> = (1..=10).collect();
            let cells: Vec<Vec<u64>> = (0..10).map(|at| numbers(n, at)).collect();
            let cells: Vec<&[u64]> = cells.iter().map(Vec::as_slice).collect();
            black_box(threshold::find(&cells, &points, 3).expect("three of ten"));
        }),
        ("discovery shares", |n| {
            let secrets: Vec<u128> = words(n).iter().map(|word| word >> 2).collect();
            let points: Vec<u128> = words(n).iter().map(|word| (word >> 2) + 1).collect();
            let mut out = vec![0; n];
            discovery::shares(&KEY, &secrets, &points, 3, &mut out).expect("in range");
            black_box(out);
        }),
        ("shamir split", |n| {
            let xs: Vec<u8> = (1..=100).collect();
            for _ in 0..n {
                black_box(shamir::split(&KEY, 67, &xs, Some(&[7; 66 * 32])).expect("67 of 100"));
            }
        }),
    ]
}

fn layout(n: usize) -> Layout {
    Layout::of(n).expect("few enough")
}

fn table(bytes: &[u8]) -> Table<'_> {
    Table::new(bytes, 32).expect("rows of 32 bytes")
}

fn words(n: usize) -> Vec<u128> {
    let mut out = vec![0; n];
    Prg::new(SEED).fill(&mut out);
    out
}

fn pairs(n: usize) -> Vec<[u128; 2]> {
    words(2 * n).chunks(2).map(|pair| [pair[0], pair[1]]).collect()
}

fn bytes(n: usize) -> Vec<u8> {
    words(n.div_ceil(16)).iter().flat_map(|word| word.to_le_bytes()).take(n).collect()
}

fn numbers(n: usize, stream: u128) -> Vec<u64> {
    let mut out = vec![0; n];
    Prg::new(SEED + stream).fill(&mut out);
    out.iter().map(|word| (*word as u64) >> 4).collect()
}
