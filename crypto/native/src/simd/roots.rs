//! Powers, roots and inverses of four field elements.
#![forbid(unsafe_code)]

use super::field::{Mask, F4, ONE, SQRT_M1};
use zeroize::Zeroizing;

impl F4 {
    /// `2^k`-th power, `k` at least one.
    ///
    /// Out of line: copies in each caller were no faster at best, and slowed decoding and encoding by up to
    /// two fifths depending on where the compiler placed them.
    #[target_feature(enable = "avx2")]
    #[inline(never)]
    fn square_times(&self, k: usize) -> F4 {
        (1..k).fold(self.square(), |power, _| power.square())
    }

    /// `x^(2^250 - 1)` and `x^11`, what both chains below share.
    #[target_feature(enable = "avx2")]
    fn power_chain(&self) -> (F4, F4) {
        let x2 = self.square();
        let x9 = x2.square_times(2).mul(self);
        let x11 = x9.mul(&x2);
        let e5 = x11.square().mul(&x9); // x^(2^5 - 1), and so on
        let e10 = e5.square_times(5).mul(&e5);
        let e20 = e10.square_times(10).mul(&e10);
        let e40 = e20.square_times(20).mul(&e20);
        let e50 = e40.square_times(10).mul(&e10);
        let e100 = e50.square_times(50).mul(&e50);
        let e200 = e100.square_times(100).mul(&e100);
        (e200.square_times(50).mul(&e50), x11)
    }

    /// Inverse, `x^(p - 2)`; zero of zero.
    #[target_feature(enable = "avx2")]
    pub fn invert(&self) -> F4 {
        let (e250, x11) = self.power_chain();
        e250.square_times(5).mul(&x11)
    }

    /// `x^((p - 5) / 8)`.
    #[target_feature(enable = "avx2")]
    fn pow_p58(&self) -> F4 {
        let (e250, _) = self.power_chain();
        e250.square_times(2).mul(self)
    }

    /// `SQRT_RATIO_M1` of RFC 9496, section 4.2: the non-negative root of `u/v`, or of `i*u/v` where the mask
    /// is off.
    #[target_feature(enable = "avx2")]
    pub fn sqrt_ratio(u: &F4, v: &F4) -> (Mask, F4) {
        let v3 = v.square().mul(v);
        let v7 = v3.square().mul(v);
        let root = v3.mul(u).mul(&v7.mul(u).pow_p58());
        let check = v.mul(&root.square());
        let i = F4::splat(&SQRT_M1);
        let minus_u = u.neg().carry();
        let correct = check.equals(u);
        let flipped = check.equals(&minus_u);
        let flipped_i = check.equals(&minus_u.mul(&i));
        let root = F4::select(flipped.or(flipped_i), &root.mul(&i), &root);
        (correct.or(flipped), root.absolute())
    }

    /// The inverses of all elements with one inversion (Montgomery's trick); zeros stay zero and harm no
    /// other.
    #[target_feature(enable = "avx2")]
    pub fn invert_all(elements: &mut [F4]) {
        let one = F4::splat(&ONE);
        let mut product = one;
        let mut before = Zeroizing::new(Vec::with_capacity(elements.len()));
        for element in elements.iter_mut() {
            before.push((product, element.is_zero()));
            product = product.mul(&F4::select(element.is_zero(), &one, element));
        }
        let mut inverse = product.invert();
        for (element, (before, zero)) in elements.iter_mut().zip(before.iter()).rev() {
            let own = before.mul(&inverse);
            inverse = inverse.mul(&F4::select(*zero, &one, element));
            *element = F4::select(*zero, element, &own);
        }
    }
}
