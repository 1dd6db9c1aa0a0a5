//! What the kernel may use of this machine: all it has, or only what every machine has.
//!
//! `COSIGHT_KERNEL=portable` makes each choice of ours (`batch`, `curve25519`, `field`, `prg`, `lpn::multiply`) take
//! its path for any machine, so that one with AVX-512, VAES and VPCLMULQDQ tests what others run. Dependencies choose
//! for themselves: aes, blake3, curve25519-dalek, libcrux-ml-kem and sha2 go on using what they find.
#![forbid(unsafe_code)]

use crate::errors::{Error, Result};
use crate::{batch, curve25519, field, lpn, prg};
use std::ffi::OsStr;
use std::sync::LazyLock;

const VARIABLE: &str = "COSIGHT_KERNEL";
/// Read once: a run never changes its arithmetic. `None` if the value is none that we know.
static PORTABLE: LazyLock<Option<bool>> = LazyLock::new(|| parse(std::env::var_os(VARIABLE).as_deref()));

/// An empty variable is none.
fn parse(value: Option<&OsStr>) -> Option<bool> {
    match value.map(OsStr::as_encoded_bytes) {
        None | Some(b"") => Some(false),
        Some(b"portable") => Some(true),
        Some(_) => None,
    }
}

/// Whether only code for any machine may run. So it is, too, under a value that `check` refuses: who sets the
/// variable wants less.
pub fn portable() -> bool {
    PORTABLE.unwrap_or(true)
}

/// Refuse a value that is none that we know.
pub fn check() -> Result<()> {
    let known = PORTABLE.is_some();
    known.then_some(()).ok_or_else(|| Error::Parameter(format!("{VARIABLE} may be \"portable\", or not set")))
}

/// Which code computes: for each choice, the instructions that it takes, or `"portable"`.
pub fn backends() -> [(&'static str, &'static str); 5] {
    [
        ("group", batch::Backend::detect().name()),
        ("field", field::backend()),
        ("prg", prg::backend()),
        ("lpn", lpn::backend()),
        ("curve25519", curve25519::backend()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_known() {
        let of = |value: &str| parse(Some(OsStr::new(value)));
        assert_eq!([parse(None), of(""), of("portable")], [Some(false), Some(false), Some(true)]);
        assert!(["Portable", "portable ", "avx2", "0"].into_iter().all(|value| of(value).is_none()));
    }

    /// Under `COSIGHT_KERNEL=portable cargo test` this says that the other tests ran what they should.
    #[test]
    fn what_is_asked_for_computes() {
        check().unwrap();
        assert!(!portable() || backends().into_iter().all(|(_, name)| name == "portable"));
    }
}
