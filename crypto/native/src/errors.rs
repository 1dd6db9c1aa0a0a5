//! Errors of the kernel, by blame; Python maps them onto `crypto/errors.py`.
//!
//! No message ever holds an item, a key or a share; the position of a row is not secret.
#![forbid(unsafe_code)]

use std::fmt;

/// Why the kernel refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The caller's mistake; nothing was computed.
    Parameter(String),
    /// Bytes of the peer are no valid encoding.
    Decode(String),
    /// A proof of the peer does not verify.
    Verification(String),
    /// A randomised encoding does not exist: nobody's mistake, to be tried with fresh randomness.
    Encoding(String),
    /// There is no randomness to be had: nobody's mistake.
    Randomness(String),
}

/// Result of a kernel function.
pub type Result<T> = std::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter(text)
            | Self::Decode(text)
            | Self::Verification(text)
            | Self::Encoding(text)
            | Self::Randomness(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Error {}
