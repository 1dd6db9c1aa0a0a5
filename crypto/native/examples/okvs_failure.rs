//! How often a random-band system has no solution: what `docs/okvs.md` and `okvs/layout.rs` are made from.
//!
//! ```text
//! cargo run --release --example okvs_failure -- rare BAND MORE CYCLES
//! cargo run --release --example okvs_failure -- plain BAND MORE LOG_N TRIALS
//! ```
//!
//! MORE is how many more starts than keys there are, by the thousand keys. `plain` eliminates random systems and
//! counts. `rare` measures chances like 2^-60 by importance sampling; `docs/okvs.md` derives the estimator. Both
//! print one JSON object.
#![forbid(unsafe_code)]

use std::env::args;

/// xoshiro256++ (Blackman and Vigna), seeded by splitmix64: measurements need speed, not secrecy.
struct Random([u64; 4]);

impl Random {
    fn new(mut seed: u64) -> Self {
        Self(std::array::from_fn(|_| {
            seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }))
    }

    fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.0;
        let out = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.0 = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        out
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn poisson(&mut self, rate: f64) -> u32 {
        let (limit, mut product, mut count) = ((-rate).exp(), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }
}

fn main() {
    let words: Vec<String> = args().skip(1).collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok()).expect("a number");
    match words.first().map(String::as_str) {
        Some("rare") => rare(number(1) as u32, number(2), number(3)),
        Some("plain") => plain(number(1) as u32, number(2), number(3) as u32, number(4)),
        _ => panic!("rare BAND MORE CYCLES, or plain BAND MORE LOG_N TRIALS"),
    }
}

fn plain(band: u32, more: u64, log_n: u32, trials: u64) {
    let n = 1u64 << log_n;
    let starts = n + (n * more).div_ceil(1000);
    let mut random = Random::new(u64::from(band) << 32 | more << 8 | u64::from(log_n));
    let failures = (0..trials).filter(|_| !solvable(&mut random, n, starts, band)).count();
    println!(
        "{{\"band\":{band},\"more\":{more},\"n\":{n},\"trials\":{trials},\"failures\":{failures},\"log2\":{:.2}}}",
        (failures as f64 / trials as f64).log2()
    );
}

fn solvable(random: &mut Random, n: u64, starts: u64, band: u32) -> bool {
    let mut order: Vec<u64> =
        (0..n).map(|_| ((u128::from(random.next()) * u128::from(starts)) >> 64) as u64).collect();
    order.sort_unstable();
    let mut pivots = vec![0u128; starts as usize + band as usize];
    order.into_iter().all(|start| {
        let bits = (u128::from(random.next()) << 64) | u128::from(random.next());
        let (mut mask, mut slot) = (bits >> (128 - band) | 1, start as usize);
        loop {
            if pivots[slot] == 0 {
                pivots[slot] = mask;
                return true;
            }
            mask ^= pivots[slot];
            if mask == 0 {
                return false;
            }
            slot += mask.trailing_zeros() as usize;
            mask >>= mask.trailing_zeros();
        }
    })
}

/// Which of the `band` slots from the present one on have a pivot.
struct Occupied {
    bits: u128,
    band: u32,
}

impl Occupied {
    /// A row arrives. Given that it finds a pivot, put it there; the chance that it does not.
    fn arrive(&mut self, random: &mut Random) -> f64 {
        if self.bits & 1 == 0 {
            self.bits |= 1;
            return 0.0;
        }
        let free = self.band - self.bits.count_ones();
        let mut left = loop {
            let skipped = random.next().trailing_zeros();
            if skipped < free || free == 0 {
                break skipped;
            }
        };
        for slot in 1..self.band {
            if free > 0 && self.bits >> slot & 1 == 0 {
                if left == 0 {
                    self.bits |= 1 << slot;
                    break;
                }
                left -= 1;
            }
        }
        (-f64::from(free)).exp2()
    }
}

/// The chance that a busy period that begins at a given slot has a failure, as samples under the rate `tilted`.
fn rare(band: u32, more: u64, cycles: u64) {
    let rate = 1000.0 / (1000 + more) as f64;
    let tilted = conjugate(rate);
    let mut random = Random::new(u64::from(band) << 32 | more);
    let (mut sum, mut squares) = (0.0, 0.0);
    for _ in 0..cycles {
        let sample = cycle(&mut random, band, rate, tilted);
        sum += sample;
        squares += sample * sample;
    }
    let mean = sum / cycles as f64;
    let deviation = ((squares / cycles as f64 - mean * mean) / cycles as f64).sqrt();
    let begins = idle(&mut random, band, rate);
    println!(
        "{{\"band\":{band},\"more\":{more},\"cycles\":{cycles},\"slope\":{:.4},\"begins\":{begins:.4},\"relative_error\":{:.4},\
         \"log2_per_start\":{:.3}}}",
        (tilted / rate).log2(),
        deviation / mean,
        (mean * begins).log2()
    );
}

fn cycle(random: &mut Random, band: u32, rate: f64, tilted: f64) -> f64 {
    let (mut occupied, mut ratio, mut survives, mut fails) = (Occupied { bits: 0, band }, 1.0, 1.0, 0.0);
    loop {
        let arrivals = random.poisson(tilted);
        ratio *= (rate / tilted).powi(arrivals as i32) * (tilted - rate).exp();
        for _ in 0..arrivals {
            let chance = occupied.arrive(random);
            fails += ratio * survives * chance;
            survives *= 1.0 - chance;
            if survives == 0.0 {
                return fails;
            }
        }
        occupied.bits >>= 1;
        if occupied.bits == 0 {
            return fails;
        }
    }
}

/// The share of slots at which nothing later is occupied, under the true rate.
fn idle(random: &mut Random, band: u32, rate: f64) -> f64 {
    let (mut occupied, mut idle, slots) = (Occupied { bits: 0, band }, 0u64, 4_000_000u64);
    for _ in 0..slots {
        idle += u64::from(occupied.bits == 0);
        for _ in 0..random.poisson(rate) {
            occupied.arrive(random);
        }
        occupied.bits >>= 1;
    }
    idle as f64 / slots as f64
}

/// The rate above one at which a queue is as likely to drift: `r e^-r` is the same for both.
fn conjugate(rate: f64) -> f64 {
    let target = rate.ln() - rate;
    let (mut low, mut high) = (1.0f64, 50.0f64);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if middle.ln() - middle > target {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}
