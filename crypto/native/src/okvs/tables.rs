//! Sums of slots by table (the method of four Russians).
#![forbid(unsafe_code)]

use super::BAND;

/// Slots of a table.
pub(crate) const WIDTH: usize = 4;
/// Tables that a band touches wherever it starts.
pub(crate) const REACH: usize = BAND / WIDTH + 1;
/// Tables a window moves on by: 16 KiB of them.
const STEP: usize = 64;
/// Farther from every table than a window is long.
const NOWHERE: usize = usize::MAX / 2;

/// The sixteen sums of four slots.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Table([u128; 1 << WIDTH]);

impl Table {
    pub const ZERO: Self = Self([0; 1 << WIDTH]);

    #[inline(always)]
    pub fn new(slots: [u128; WIDTH]) -> Self {
        let mut sums = [0; 1 << WIDTH];
        for (bit, slot) in slots.into_iter().enumerate() {
            for low in 0..1 << bit {
                sums[1 << bit | low] = sums[low] ^ slot;
            }
        }
        Self(sums)
    }

    /// The sum that four bits select.
    #[inline(always)]
    pub fn get(&self, bits: u64) -> u128 {
        self.0[bits as usize & 15]
    }
}

/// The sum of the slots that `mask` selects from slot `offset < WIDTH` of the first table on, without those of
/// the first `SKIP` tables.
#[inline(always)]
pub(crate) fn sum<const SKIP: usize>(tables: &[Table; REACH], mask: u128, offset: usize) -> u128 {
    let low = mask << offset;
    let top = (mask >> 64) as u64 >> (64 - WIDTH) >> (WIDTH - offset);
    let (mut even, mut odd) = (tables[REACH - 1].get(top), 0);
    let halves = [low as u64, (low >> 64) as u64];
    for (half, word) in halves.into_iter().enumerate() {
        for at in (0..16).step_by(2) {
            let table = 16 * half + at;
            if table >= SKIP {
                even ^= tables[table].get(word >> (WIDTH * at));
            }
            if table + 1 >= SKIP {
                odd ^= tables[table + 1].get(word >> (WIDTH * (at + 1)));
            }
        }
    }
    even ^ odd
}

/// Tables of the slots around ascending starts.
pub(crate) struct Window<'a> {
    slots: &'a [u128],
    /// The table of slots `WIDTH * first..` is the first.
    first: usize,
    tables: Box<[Table; STEP + REACH]>,
}

impl<'a> Window<'a> {
    pub fn new(slots: &'a [u128]) -> Self {
        Self { slots, first: NOWHERE, tables: Box::new([Table::ZERO; STEP + REACH]) }
    }

    /// The sum of the slots that a band selects; starts ascend.
    #[inline(always)]
    pub fn sum(&mut self, start: usize, mask: u128) -> u128 {
        let mut at = (start / WIDTH).wrapping_sub(self.first);
        if at > STEP {
            self.advance(start / WIDTH);
            at = 0;
        }
        let tables = self.tables[at..at + REACH].try_into().expect("as many as there are");
        sum::<0>(tables, mask, start % WIDTH)
    }

    #[cold]
    fn advance(&mut self, to: usize) {
        let mut kept = 0;
        let moved = to.wrapping_sub(self.first);
        if moved < STEP + REACH {
            self.tables.copy_within(moved.., 0);
            kept = STEP + REACH - moved;
        }
        for (table, at) in self.tables[kept..].iter_mut().zip(to + kept..) {
            let mut four = [0; WIDTH];
            if let Some(slots) = self.slots.get(WIDTH * at..) {
                for (slot, &value) in four.iter_mut().zip(slots) {
                    *slot = value;
                }
            }
            *table = Table::new(four);
        }
        self.first = to;
    }
}
