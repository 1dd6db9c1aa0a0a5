//! Batches of points, on the fastest arithmetic that this machine has.
//!
//! Two backends compute the same: `Portable` is curve25519-dalek, `Avx2` is `simd`. Every test of the kernel
//! runs on both. What is secret goes through constant-time functions in either; only `weighted_sum` is for
//! public values.
#![forbid(unsafe_code)]

use crate::errors::{Error, Result};
use crate::group::{ELEMENT_BYTES, WIDE_BYTES};
#[cfg(target_arch = "x86_64")]
use crate::simd;
use curve25519_dalek::constants::{RISTRETTO_BASEPOINT_POINT, RISTRETTO_BASEPOINT_TABLE};
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoBasepointTable, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, IsIdentity, VartimeMultiscalarMul};
use std::sync::OnceLock;
use subtle::{Choice, ConditionallySelectable};
use zeroize::{Zeroize, Zeroizing};

/// Which arithmetic computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// curve25519-dalek, one point at a time.
    Portable,
    /// Four points at a time.
    #[cfg(target_arch = "x86_64")]
    Avx2(simd::Avx2),
}

/// Some points, usually a chunk of `group::CHUNK`. Wiped when dropped: some are what the PRF hashes.
pub enum Points {
    /// For `Backend::Portable`.
    Portable(Vec<RistrettoPoint>),
    /// For `Backend::Avx2`.
    #[cfg(target_arch = "x86_64")]
    Avx2(simd::Points),
}

/// Multiples of one public point, for fast multiplication by many scalars.
pub enum Table {
    /// For `Backend::Portable`.
    Portable(Box<RistrettoBasepointTable>),
    /// For `Backend::Avx2`.
    #[cfg(target_arch = "x86_64")]
    Avx2(simd::Table),
}

impl Backend {
    /// The fastest that this machine can run, and may.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = simd::Avx2::detect().filter(|_| !crate::machine::portable()) {
            return Self::Avx2(avx2);
        }
        Self::Portable
    }

    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
        }
    }

    /// The one-way map of RFC 9496 of 64 uniform bytes each.
    pub fn hash(self, uniform: &[[u8; WIDE_BYTES]]) -> Points {
        match self {
            Self::Portable => {
                Points::Portable(uniform.iter().map(RistrettoPoint::from_uniform_bytes).collect())
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(avx2) => Points::Avx2(avx2.hash(uniform)),
        }
    }

    /// Decode rows of the peer, of which the first has the number `first` in messages; the identity is
    /// refused too.
    pub fn decode(self, rows: &[u8], first: usize) -> Result<Points> {
        let elements = || rows.chunks_exact(ELEMENT_BYTES);
        // The encoding is unique: comparing bytes is cheaper than asking the point.
        if let Some(at) = elements().position(|row| row == [0; ELEMENT_BYTES]) {
            return Err(Error::Decode(format!("row {} is the identity element", first + at)));
        }
        let points = match self {
            Self::Portable => elements()
                .enumerate()
                .map(|(at, row)| {
                    CompressedRistretto::from_slice(row).ok().and_then(|row| row.decompress()).ok_or(at)
                })
                .collect::<std::result::Result<_, _>>()
                .map(Points::Portable),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(avx2) => avx2.decode(rows).map(Points::Avx2),
        };
        points
            .map_err(|at| Error::Decode(format!("row {} is no canonical ristretto255 encoding", first + at)))
    }

    /// Precompute multiples of a public point.
    pub fn table(self, point: &RistrettoPoint) -> Table {
        match self {
            Self::Portable => Table::Portable(Box::new(RistrettoBasepointTable::create(point))),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(avx2) => Table::Avx2(avx2.table(point)),
        }
    }

    /// The multiples of the generator.
    pub fn generator(self) -> &'static Table {
        static PORTABLE: OnceLock<Table> = OnceLock::new();
        #[cfg(target_arch = "x86_64")]
        static AVX2: OnceLock<Table> = OnceLock::new();
        match self {
            Self::Portable => {
                PORTABLE.get_or_init(|| Table::Portable(Box::new(RISTRETTO_BASEPOINT_TABLE.clone())))
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => AVX2.get_or_init(|| self.table(&RISTRETTO_BASEPOINT_POINT)),
        }
    }

    /// The table's point times each scalar. Constant time.
    ///
    /// # Panics
    /// If the table is of another backend.
    pub fn multiples(self, table: &Table, scalars: &[Scalar]) -> Points {
        match (self, table) {
            (Self::Portable, Table::Portable(table)) => {
                Points::Portable(scalars.iter().map(|scalar| &**table * scalar).collect())
            }
            #[cfg(target_arch = "x86_64")]
            (Self::Avx2(avx2), Table::Avx2(table)) => Points::Avx2(avx2.multiples(table, scalars)),
            #[cfg(target_arch = "x86_64")]
            _ => unreachable!("tables come from the backend that uses them"),
        }
    }
}

impl Drop for Points {
    fn drop(&mut self) {
        match self {
            Self::Portable(points) => points.zeroize(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => {} // these wipe themselves
        }
    }
}

impl Points {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Portable(points) => points.len(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(points) => points.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place of the first identity.
    pub fn identity(&self) -> Option<usize> {
        match self {
            Self::Portable(points) => points.iter().position(IsIdentity::is_identity),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(points) => points.identity(),
        }
    }

    /// All times one scalar. Constant time.
    pub fn multiply(&self, scalar: &Scalar) -> Self {
        match self {
            Self::Portable(points) => Self::Portable(points.iter().map(|point| point * scalar).collect()),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(points) => Self::Avx2(points.multiply(scalar)),
        }
    }

    /// Each times its scalar. Constant time.
    pub fn multiply_each(&self, scalars: &[Scalar]) -> Self {
        debug_assert_eq!(self.len(), scalars.len());
        match self {
            Self::Portable(points) => {
                Self::Portable(points.iter().zip(scalars).map(|(point, scalar)| point * scalar).collect())
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(points) => Self::Avx2(points.multiply_each(scalars)),
        }
    }

    /// Each plus its scalar times the table's point. Constant time.
    ///
    /// # Panics
    /// If the table is of another backend.
    pub fn add_multiples(&self, table: &Table, scalars: &[Scalar]) -> Self {
        debug_assert_eq!(self.len(), scalars.len());
        match (self, table) {
            (Self::Portable(points), Table::Portable(table)) => {
                let sum = |(point, scalar): (&RistrettoPoint, &Scalar)| point + &**table * scalar;
                Self::Portable(points.iter().zip(scalars).map(sum).collect())
            }
            #[cfg(target_arch = "x86_64")]
            (Self::Avx2(points), Table::Avx2(table)) => Self::Avx2(points.add_multiples(table, scalars)),
            #[cfg(target_arch = "x86_64")]
            _ => unreachable!("points and tables come from one backend"),
        }
    }

    /// Each plus another.
    ///
    /// # Panics
    /// If the others are of another backend.
    pub fn plus(&self, other: &Self) -> Self {
        debug_assert_eq!(self.len(), other.len());
        match (self, other) {
            (Self::Portable(left), Self::Portable(right)) => {
                Self::Portable(left.iter().zip(right).map(|(left, right)| left + right).collect())
            }
            #[cfg(target_arch = "x86_64")]
            (Self::Avx2(left), Self::Avx2(right)) => Self::Avx2(left.plus(right)),
            #[cfg(target_arch = "x86_64")]
            _ => unreachable!("points of one batch come from one backend"),
        }
    }

    /// Each minus another.
    ///
    /// # Panics
    /// If the others are of another backend.
    pub fn minus(&self, other: &Self) -> Self {
        debug_assert_eq!(self.len(), other.len());
        match (self, other) {
            (Self::Portable(left), Self::Portable(right)) => {
                Self::Portable(left.iter().zip(right).map(|(left, right)| left - right).collect())
            }
            #[cfg(target_arch = "x86_64")]
            (Self::Avx2(left), Self::Avx2(right)) => Self::Avx2(left.minus(right)),
            #[cfg(target_arch = "x86_64")]
            _ => unreachable!("points of one batch come from one backend"),
        }
    }

    /// Encode into rows.
    pub fn encode(&self, rows: &mut [u8]) {
        match self {
            Self::Portable(points) => {
                for (row, point) in rows.chunks_exact_mut(ELEMENT_BYTES).zip(points) {
                    row.copy_from_slice(point.compress().as_bytes());
                }
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(points) => points.encode(rows),
        }
    }

    /// Encode the doubles into rows: one inversion for all, where plain encoding needs a root for each.
    pub fn encode_doubles(&self, rows: &mut [u8]) {
        match self {
            Self::Portable(points) => {
                let encoded = Zeroizing::new(RistrettoPoint::double_and_compress_batch(points));
                for (row, element) in rows.chunks_exact_mut(ELEMENT_BYTES).zip(encoded.iter()) {
                    row.copy_from_slice(element.as_bytes());
                }
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(points) => points.encode_doubles(rows),
        }
    }

    /// The sum of the points, each times its public weight. Variable time.
    pub fn weighted_sum(&self, weights: &[Scalar]) -> RistrettoPoint {
        debug_assert_eq!(self.len(), weights.len());
        match self {
            Self::Portable(points) => RistrettoPoint::vartime_multiscalar_mul(weights, points),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(points) => points.weighted_sum(weights),
        }
    }

    /// The sum of those points that are chosen. Constant time: the others are looked at as well.
    pub fn chosen_sum(&self, chosen: &[bool]) -> RistrettoPoint {
        debug_assert_eq!(self.len(), chosen.len());
        match self {
            Self::Portable(points) => {
                let none = RistrettoPoint::identity();
                let pick = |(point, chosen): (&RistrettoPoint, &bool)| {
                    RistrettoPoint::conditional_select(&none, point, Choice::from(u8::from(*chosen)))
                };
                points.iter().zip(chosen).map(pick).sum()
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(points) => points.chosen_sum(chosen),
        }
    }
}
