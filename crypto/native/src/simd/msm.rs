//! Sums of weighted points with public weights: Pippenger's buckets, one set for each lane. Variable time.
#![forbid(unsafe_code)]

use super::curve::{Point4, Summand4};
use super::field::{Limbs, Mask, F4};
use std::arch::x86_64::*;

/// Windows of eight bits, and a carry.
pub const WINDOWS: usize = 33;
/// A public weight in signed digits from -128 to 128, least significant first.
pub type Weight = [i16; WINDOWS];
/// Sizes of a digit; bucket zero takes what no window counts.
const BUCKETS: usize = 129;

/// The sum of `weights[i] * points[i]`, lane by lane.
#[target_feature(enable = "avx2")]
pub fn weighted_sum(points: &[Point4], weights: &[[Weight; 4]]) -> Point4 {
    let mut summands = Vec::with_capacity(points.len());
    for point in points {
        summands.push(point.summand());
    }
    let used = |window: &usize| weights.iter().flatten().any(|weight| weight[*window] != 0);
    let windows = (0..WINDOWS).rev().find(used).map_or(0, |top| top + 1);
    let mut sum = Point4::identity();
    let mut buckets = Buckets::new();
    for window in (0..windows).rev() {
        if window + 1 < windows {
            sum = sum.double_times(8);
        }
        buckets.clear();
        for (summand, weights) in summands.iter().zip(weights) {
            buckets.add(summand, [0, 1, 2, 3].map(|lane: usize| weights[lane][window]));
        }
        sum = sum.add(&buckets.sum().summand());
    }
    sum
}

/// For each lane and size of digit, the sum of the points with that digit.
struct Buckets([Vec<[Limbs; 4]>; 4]);

impl Buckets {
    fn new() -> Self {
        Buckets([const { Vec::new() }; 4])
    }

    fn clear(&mut self) {
        let (zero, mut one) = ([0; 10], [0; 10]);
        one[0] = 1;
        for lane in &mut self.0 {
            lane.clear();
            lane.resize(BUCKETS, [zero, one, one, zero]);
        }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn get(&self, at: [usize; 4]) -> Point4 {
        let [a, b, c, d] = &self.0;
        let [a, b, c, d] = [&a[at[0]], &b[at[1]], &c[at[2]], &d[at[3]]];
        Point4 {
            x: F4::from_lanes(&[a[0], b[0], c[0], d[0]]),
            y: F4::from_lanes(&[a[1], b[1], c[1], d[1]]),
            z: F4::from_lanes(&[a[2], b[2], c[2], d[2]]),
            t: F4::from_lanes(&[a[3], b[3], c[3], d[3]]),
        }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn add(&mut self, summand: &Summand4, digits: [i16; 4]) {
        let at = digits.map(|digit| usize::from(digit.unsigned_abs()));
        let [a, b, c, d] = digits.map(|digit| -i64::from(digit < 0));
        let summand = summand.negate_where(Mask(_mm256_set_epi64x(d, c, b, a)));
        let sum = self.get(at).add(&summand);
        for (part, value) in [sum.x, sum.y, sum.z, sum.t].iter().enumerate() {
            for (lane, limbs) in value.lanes().into_iter().enumerate() {
                self.0[lane][at[lane]][part] = limbs;
            }
        }
    }

    /// Every bucket times its size: the sum of the sums from each size up.
    #[target_feature(enable = "avx2")]
    fn sum(&self) -> Point4 {
        let (mut above, mut total) = (Point4::identity(), Point4::identity());
        for size in (1..BUCKETS).rev() {
            above = above.add(&self.get([size; 4]).summand());
            total = total.add(&above.summand());
        }
        total
    }
}
