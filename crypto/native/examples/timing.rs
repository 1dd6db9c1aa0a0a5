//! Whether secrets change how long the kernel takes: Reparaz, Balasch and Verbauwhede, "Dude, is my code constant
//! time?", DATE 2017.
//!
//! ```text
//! cargo run --release --example timing
//! COSIGHT_KERNEL=portable cargo run --release --example timing
//! ```
//!
//! Each subject works on one fixed secret and on random ones, in random order. Welch's t compares the times of
//! the two classes: of all runs, and of those below percentiles of the times, where a leak is not drowned by
//! interrupts. A subject leaks if |t| is above 10 in three successive batches; then the exit status is 1. It
//! is 1, too, unless two controls are found to leak, which do: a machine that hides those hides anything.
//!
//! Measured by hand, on a machine that does nothing else, and never in CI: a busy one fails or excuses anybody.
//! A pass says that no leak was seen on this processor, with this compiler, at these secrets.
//!
//! Subjects are where a secret decides: products with `delta`, the comparison of the answer in `vole`, products of
//! points with a scalar, of whose 252 free bits 128 are compared, in the upper half, which points are added up,
//! shares of a secret and shares that become one, and entries that are compared with a cap.
//! Not here: `tagset`, which looks up our tags in those that the peer sent, and is not constant time. The peer's
//! are public to us; with output `receiver` nothing is sent afterwards, with `both` the peer is told what was
//! found. `docs/threat-model.md` has it among what was not measured.
#![forbid(unsafe_code)]

use _native::batch::Backend;
use _native::curve25519::{self, Scalar};
use _native::prg::Prg;
use _native::vole::{Receiver, ANSWER_BYTES};
use _native::{discovery, field, machine, ring, shamir};
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

const RUNS: usize = 1_000_000;
/// What a machine does before its caches and predictors have settled does not count.
const WARM_UP: usize = RUNS / 10;
/// Beyond it there is a leak: over as many runs, chance alone stays below 5.
const LIMIT: f64 = 10.0;
/// Batches in a row that have to say so.
const BATCHES: usize = 3;
/// Shares of the runs, the fastest first, that are compared.
const SHARES: [f64; 6] = [1.0, 0.99, 0.95, 0.9, 0.75, 0.5];
/// Elements that are multiplied in one run.
const ELEMENTS: usize = 256;
/// Comparisons in one run.
const TIMES: usize = 16;
/// An answer of which fifteen bytes in sixteen are right, where zeros are.
const NEARLY: u128 = 1 << 127;

fn main() -> ExitCode {
    println!("{:?}", machine::backends());
    let mut random = Prg::new(seed());
    let mut start = [0; ELEMENTS];
    random.fill(&mut start);
    let (mut xs, mut sums) = (start, start);
    let mut well = true;

    println!("subject                             |t| of each batch");
    for (name, fixed) in [("0", 0), ("1", 1), ("all ones", u128::MAX)] {
        well &= !leaks(&format!("field::mul, {name}"), &mut random, fixed, |delta| {
            for x in &start[..TIMES] {
                black_box(field::mul(delta, *x));
            }
        });
        well &= !leaks(&format!("field::scale, {name}"), &mut random, fixed, |delta| {
            xs = start; // zeros would stay zeros
            field::scale(delta, black_box(&mut xs));
        });
        well &= !leaks(&format!("field::add_scaled, {name}"), &mut random, fixed, |delta| {
            field::add_scaled(black_box(&mut sums), delta, &start);
        });
    }
    // Before its trees have come a receiver expects zeros, and refuses whatever it compares with them. Whether
    // an answer is right is no secret, but how much of a wrong one is.
    let mut receiver = Receiver::new(1, b"timing", &[1; 32]).expect("one element");
    well &= !leaks("vole::Receiver::verify, nearly", &mut random, NEARLY, |word| {
        for _ in 0..TIMES {
            assert!(receiver.verify(&answer(word)).is_err());
        }
    });

    // One group of points for each backend, multiplied by a scalar whose lower half is always the same.
    let points = curve25519::map_to_curve(&[[7; 64]; 8].concat());
    for (name, fixed) in [("0", 0), ("all ones", u128::MAX)] {
        well &= !leaks(&format!("curve25519::multiply, {name}"), &mut random, fixed, |word| {
            let mut bytes = [0; 32];
            bytes[16..].copy_from_slice(&word.to_le_bytes());
            let scalar = Scalar::draw(Some(&bytes)).expect("any bytes are a scalar");
            black_box(curve25519::multiply(&points, &scalar).expect("no point of small order"));
        });
    }

    // A bit of the word for each point.
    let points = Backend::detect().hash(&[[7; 64]; 128]);
    for (name, fixed) in [("0", 0), ("all ones", u128::MAX)] {
        well &= !leaks(&format!("Points::chosen_sum, {name}"), &mut random, fixed, |word| {
            let chosen: [bool; 128] = std::array::from_fn(|at| word >> at & 1 == 1);
            black_box(points.chosen_sum(&chosen));
        });
    }

    let xs: [u8; 7] = std::array::from_fn(|at| at as u8 + 1);
    for (name, fixed) in [("0", 0), ("all ones", u128::MAX)] {
        well &= !leaks(&format!("shamir::split, {name}"), &mut random, fixed, |word| {
            black_box(shamir::split(&answer(word), 5, &xs, Some(&[7; 4 * 32])).expect("five of seven"));
        });
        well &= !leaks(&format!("shamir::reconstruct, {name}"), &mut random, fixed, |word| {
            let shares = [answer(word); 7].concat();
            black_box(shamir::reconstruct(&xs, &shares).expect("seven places"));
        });
    }
    let (points, mut out) = ([1 << 100; TIMES], [0; TIMES]);
    for (name, fixed) in [("0", 0), ("largest", discovery::P - 1)] {
        well &= !leaks(&format!("discovery::shares, {name}"), &mut random, fixed, |word| {
            let secrets = [(word & discovery::P).min(discovery::P - 1); TIMES];
            discovery::shares(&[7; 32], &secrets, &points, 4, black_box(&mut out)).expect("all in range");
        });
    }
    // Half of the random bytes are above the cap, no fixed one is, or all are.
    for (name, fixed) in [("none", 0), ("all", u128::MAX)] {
        well &= !leaks(&format!("ring::exceeds, {name}"), &mut random, fixed, |word| {
            let entries: [u8; 1024] = std::array::from_fn(|at| word.to_le_bytes()[at % 16]);
            black_box(ring::exceeds(black_box(&entries), 127));
        });
    }

    println!("controls, which leak");
    well &= leaks("a product that skips zeros", &mut random, 0, |delta| {
        for x in &start[..TIMES] {
            black_box(skipping(delta, *x));
        }
    });
    well &= leaks("a comparison that stops early", &mut random, NEARLY, |word| {
        for _ in 0..TIMES {
            let expected = black_box([0; ANSWER_BYTES]);
            black_box(expected.iter().zip(answer(word)).all(|(a, b)| black_box(*a) == b));
        }
    });
    println!("{}", if well { "no leak was seen" } else { "a subject leaks, or a control was not found" });
    ExitCode::from(u8::from(!well))
}

fn seed() -> u128 {
    let mut seed = [0; 16];
    getrandom::fill(&mut seed).expect("the system has randomness");
    u128::from_le_bytes(seed)
}

/// Whether each batch says that the fixed secret takes another time than random ones.
fn leaks(name: &str, random: &mut Prg, fixed: u128, mut work: impl FnMut(u128)) -> bool {
    print!("{name:<34}");
    for _ in 0..BATCHES {
        let t = batch(random, fixed, &mut work);
        print!(" {t:7.1}");
        if t <= LIMIT {
            println!();
            return false;
        }
    }
    println!("  leaks");
    true
}

/// The largest |t| of one batch.
fn batch(random: &mut Prg, fixed: u128, work: &mut impl FnMut(u128)) -> f64 {
    let (mut secrets, mut classes) = (vec![0; WARM_UP + RUNS], vec![0; WARM_UP + RUNS]);
    random.fill(&mut secrets);
    random.fill(&mut classes);
    for (secret, class) in secrets.iter_mut().zip(&mut classes) {
        *class &= 1;
        if *class == 0 {
            *secret = fixed;
        }
    }
    let mut times: Vec<(u64, usize)> = secrets
        .iter()
        .zip(classes)
        .map(|(secret, class)| {
            let secret = black_box(*secret);
            let start = Instant::now();
            work(secret);
            (start.elapsed().as_nanos() as u64, class as usize)
        })
        .skip(WARM_UP)
        .collect();
    times.sort_unstable();
    // All that took as long as the last one stay, too: which class comes first among equals is no chance.
    let cut = |share: f64| {
        let last = times[(share * (times.len() - 1) as f64) as usize].0;
        &times[..times.partition_point(|(time, _)| *time <= last)]
    };
    SHARES.into_iter().map(|share| welch(cut(share)).abs()).fold(0.0, f64::max)
}

/// Welch's t of the two classes; 0 where it says nothing.
fn welch(times: &[(u64, usize)]) -> f64 {
    let [mut count, mut sum, mut squares] = [[0.0; 2]; 3];
    for (time, class) in times {
        let time = *time as f64;
        count[*class] += 1.0;
        sum[*class] += time;
        squares[*class] += time * time;
    }
    if count.into_iter().any(|count| count < 100.0) {
        return 0.0;
    }
    let mean = [0, 1].map(|class| sum[class] / count[class]);
    let error = [0, 1].map(|class| (squares[class] / count[class] - mean[class].powi(2)) / count[class]);
    let error = error[0] + error[1];
    match mean[0] - mean[1] {
        0.0 => 0.0,
        difference => difference / error.sqrt(),
    }
}

/// An answer from one word.
fn answer(word: u128) -> [u8; ANSWER_BYTES] {
    let bytes = word.to_le_bytes();
    std::array::from_fn(|at| bytes[at % bytes.len()])
}

/// A product as nobody should write it.
fn skipping(delta: u128, mut x: u128) -> u128 {
    let mut product = 0;
    for bit in 0..128 {
        if delta >> bit & 1 == 1 {
            product ^= black_box(x);
        }
        x = x << 1 ^ 0x87 & (x >> 127).wrapping_neg();
    }
    product
}
