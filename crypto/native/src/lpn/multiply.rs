//! Products of field elements with public 64-bit ones, in bulk.
//!
//! A multiplier of 64 bits leaves 192 bits to reduce, so a product takes three carry-less multiplications.
//! What is `unsafe` here is entering code that is compiled for PCLMULQDQ.
#![allow(unsafe_code)]

use crate::field;

/// The instructions in use, or `"portable"`.
pub fn backend() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if x86::may_run() {
        return "pclmulqdq";
    }
    "portable"
}

/// Multiply each element by its multiplier, a polynomial of degree below 64.
pub fn multiply(xs: &mut [u128], by: &[u64]) {
    #[cfg(target_arch = "x86_64")]
    if x86::may_run() {
        // SAFETY: the machine has PCLMULQDQ; SSE2 is part of x86-64.
        unsafe { x86::multiply(xs, by) };
        return;
    }
    portable(xs, by);
}

/// The same with what every machine has.
pub fn portable(xs: &mut [u128], by: &[u64]) {
    for (x, by) in xs.iter_mut().zip(by) {
        *x = field::mul(*x, u128::from(*by));
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m128i, _mm_clmulepi64_si128, _mm_cvtsi64_si128, _mm_loadu_si128, _mm_slli_si128, _mm_storeu_si128,
        _mm_xor_si128,
    };

    /// Whether this machine has PCLMULQDQ, and may use it.
    pub fn may_run() -> bool {
        is_x86_feature_detected!("pclmulqdq") && !crate::machine::portable()
    }

    /// # Safety
    /// The machine has PCLMULQDQ.
    #[target_feature(enable = "pclmulqdq,sse2")]
    pub unsafe fn multiply(xs: &mut [u128], by: &[u64]) {
        let fold = _mm_cvtsi64_si128(0x87); // x^128 = x^7 + x^2 + x + 1
        for (x, by) in xs.iter_mut().zip(by) {
            let place = std::ptr::from_mut(x).cast::<__m128i>();
            // SAFETY: `place` is sixteen readable bytes of `x`, at any alignment.
            let value = unsafe { _mm_loadu_si128(place) };
            let by = _mm_cvtsi64_si128(by.cast_signed());
            let low = _mm_clmulepi64_si128::<0x00>(value, by);
            let high = _mm_clmulepi64_si128::<0x01>(value, by);
            let over = _mm_clmulepi64_si128::<0x01>(high, fold);
            let sum = _mm_xor_si128(_mm_xor_si128(low, _mm_slli_si128::<8>(high)), over);
            // SAFETY: `place` is sixteen writable bytes of `x`, at any alignment.
            unsafe { _mm_storeu_si128(place, sum) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_gives_the_product_of_the_field() {
        let step = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835_u128;
        let mut xs: Vec<u128> = (0..1000).map(|i| step.wrapping_mul(i * i + 1)).collect();
        let mut by: Vec<u64> = (0..1000).map(|i| (step.wrapping_mul(i + 3) >> 64) as u64).collect();
        (xs[0], by[0], xs[1], by[1], by[2]) = (u128::MAX, u64::MAX, 1, 1, 0);
        let want: Vec<u128> = xs.iter().zip(&by).map(|(x, by)| field::mul(*x, u128::from(*by))).collect();
        let mut again = xs.clone();
        multiply(&mut xs, &by);
        portable(&mut again, &by);
        assert_eq!(xs, want);
        assert_eq!(again, want);
    }
}
