//! Products, maps and checks of the Diffie-Hellman engine in a second, on one core, and what is left to the floor.
//!
//! ```text
//! cargo run --release --example curve25519
//! COSIGHT_KERNEL=portable cargo run --release --example curve25519
//! ```
//!
//! The floor counts multiplications alone: a step of the ladder has five products of 50 `vpmadd52`, four squares
//! of 30 and one small multiple of 10, 380 for eight points, of which a core that starts one a cycle makes no more
//! than its clock says. Carries, sums and choices come on top.
#![forbid(unsafe_code)]

use _native::curve25519::{self, Scalar};
use _native::machine;
use std::time::Instant;

const ROWS: usize = 1 << 13;
const RUNS: usize = 9;

fn main() {
    println!("{:?}", machine::backends());
    let wide: Vec<u8> = (0..64 * ROWS).map(|at| ((at * at) >> 3) as u8).collect();
    let points = curve25519::map_to_curve(&wide);
    let scalar = Scalar::draw(None).expect("the system has randomness");
    report("multiply", || drop(curve25519::multiply(&points, &scalar)));
    report("map_to_curve", || drop(curve25519::map_to_curve(&wide)));
    report("validate", || drop(curve25519::validate(&points)));
}

fn report(name: &str, work: impl Fn()) {
    let mut seconds: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    let rate = |seconds: f64| ROWS as f64 / seconds;
    println!("{name:<13} {:9.0} a second, best {:9.0}", rate(seconds[RUNS / 2]), rate(seconds[0]));
}
