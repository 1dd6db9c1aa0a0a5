//! With the carry-less multiplication of x86: one element to a register (PCLMULQDQ), or two (VPCLMULQDQ).
#![allow(unsafe_code)]

use std::arch::x86_64::*;
use std::array::from_fn;

/// What x^128 is: x^7 + x^2 + x + 1.
const FOLD: u128 = 0x87;
/// Registers of powers that are raised at once: enough to hide how long a product takes.
const IN_FLIGHT: usize = 8;

/// Proof that this machine has PCLMULQDQ, and VPCLMULQDQ if wide; there is no other way to get one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instructions {
    wide: bool,
}

macro_rules! either {
    ($self:ident, $function:ident($($argument:expr),*)) => {
        if $self.wide {
            // SAFETY: `self` is proof of VPCLMULQDQ, AVX2 and PCLMULQDQ.
            unsafe { wide::$function($($argument),*) }
        } else {
            // SAFETY: `self` is proof of PCLMULQDQ.
            unsafe { narrow::$function($($argument),*) }
        }
    };
}

impl Instructions {
    /// PCLMULQDQ, where this machine has it.
    pub fn narrow() -> Option<Self> {
        is_x86_feature_detected!("pclmulqdq").then_some(Self { wide: false })
    }

    /// VPCLMULQDQ, where this machine has it.
    pub fn wide() -> Option<Self> {
        let wide = is_x86_feature_detected!("vpclmulqdq") && is_x86_feature_detected!("avx2");
        Self::narrow().filter(|_| wide).map(|_| Self { wide: true })
    }

    /// The one that counts, for people.
    pub fn name(self) -> &'static str {
        if self.wide {
            "vpclmulqdq"
        } else {
            "pclmulqdq"
        }
    }

    pub fn mul(self, a: u128, b: u128) -> u128 {
        let mut product = [b];
        // SAFETY: `self` is proof of PCLMULQDQ.
        unsafe { narrow::scale(a, &mut product) };
        product[0]
    }

    pub fn scale(self, a: u128, xs: &mut [u128]) {
        either!(self, scale(a, xs));
    }

    pub fn add_scaled(self, acc: &mut [u128], a: u128, xs: &[u128]) {
        either!(self, add_scaled(acc, a, xs));
    }

    pub fn inner(self, xs: &[u128], ys: &[u128]) -> u128 {
        either!(self, inner(xs, ys))
    }

    pub fn powers(self, x: u128, out: &mut [u128]) {
        either!(self, powers(x, out));
    }
}

/// The product with x^64.
fn shift(a: u128) -> u128 {
    let over = a >> 64; // times x^128
    a << 64 ^ over ^ over << 1 ^ over << 2 ^ over << 7
}

/// The work on registers of one width; the items say what a register is, how to fill and empty it, and who
/// does what is left when no full register is.
macro_rules! registers {
    ($name:ident, $features:literal, { $($items:item)* }, { $($inside:item)* }) => {
        mod $name {
            use super::*;

            $($items)*
            $(#[inline] #[target_feature(enable = $features)] $inside)*

            /// A fixed factor, and its product with x^64.
            #[derive(Clone, Copy)]
            struct Factor {
                plain: Register,
                shifted: Register,
                fold: Register,
            }

            impl Factor {
                #[inline]
                #[target_feature(enable = $features)]
                fn new(a: u128) -> Self {
                    Self { plain: fill(a), shifted: fill(shift(a)), fold: fill(FOLD) }
                }

                /// The product with each element of a register. The halves of an element, multiplied with
                /// the factor and the shifted factor, give 192 coefficients, of which one product folds the
                /// top 64: no more products than Karatsuba and two folds, and a shorter chain.
                #[inline]
                #[target_feature(enable = $features)]
                fn times(self, x: Register) -> Register {
                    let low = xor(clmul::<0x00>(x, self.plain), clmul::<0x01>(x, self.shifted));
                    let high = xor(clmul::<0x10>(x, self.plain), clmul::<0x11>(x, self.shifted));
                    let over = clmul::<0x01>(high, self.fold);
                    xor(xor(low, over), up(high))
                }
            }

            #[target_feature(enable = $features)]
            pub fn scale(a: u128, xs: &mut [u128]) {
                let factor = Factor::new(a);
                let (registers, left) = xs.as_chunks_mut();
                for x in registers {
                    store(factor.times(load(x)), x);
                }
                if !left.is_empty() {
                    few::scale(a, left);
                }
            }

            #[target_feature(enable = $features)]
            pub fn add_scaled(acc: &mut [u128], a: u128, xs: &[u128]) {
                let factor = Factor::new(a);
                let ((sums, acc), (registers, left)) = (acc.as_chunks_mut(), xs.as_chunks());
                for (sum, x) in sums.iter_mut().zip(registers) {
                    store(xor(load(sum), factor.times(load(x))), sum);
                }
                if !left.is_empty() {
                    few::add_scaled(acc, a, left);
                }
            }

            /// Karatsuba; sums of products need one reduction.
            #[target_feature(enable = $features)]
            pub fn inner(xs: &[u128], ys: &[u128]) -> u128 {
                let ((xs, xs_left), (ys, ys_left)) = (xs.as_chunks(), ys.as_chunks());
                let [mut low, mut both, mut high] = [fill(0); 3];
                for (x, y) in xs.iter().zip(ys) {
                    let (x, y) = (load(x), load(y));
                    low = xor(low, clmul::<0x00>(x, y));
                    high = xor(high, clmul::<0x11>(x, y));
                    both = xor(both, clmul::<0x00>(xor(x, swap(x)), xor(y, swap(y))));
                }
                let middle = sum(xor(both, xor(low, high)));
                let (low, high) = (sum(low) ^ middle << 64, sum(high) ^ middle >> 64);
                let rest = if xs_left.is_empty() { 0 } else { few::inner(xs_left, ys_left) };
                low ^ shift(shift(high)) ^ rest
            }

            #[target_feature(enable = $features)]
            pub fn powers(x: u128, out: &mut [u128]) {
                const BATCH: usize = IN_FLIGHT * LANES;
                let mut power = 1;
                let first: [u128; BATCH] = from_fn(|_| {
                    let this = power;
                    power = few::product(x, this);
                    this
                });
                let factor = Factor::new(power);
                let mut state: [Register; IN_FLIGHT] = from_fn(|at| load(&first.as_chunks().0[at]));
                let (batches, left) = out.as_chunks_mut::<BATCH>();
                for batch in batches {
                    for (to, register) in batch.as_chunks_mut().0.iter_mut().zip(&mut state) {
                        store(*register, to);
                        *register = factor.times(*register);
                    }
                }
                let mut last = [0; BATCH];
                for (to, register) in last.as_chunks_mut().0.iter_mut().zip(state) {
                    store(register, to);
                }
                left.copy_from_slice(&last[..left.len()]);
            }
        }
    };
}

registers!(
    narrow,
    "pclmulqdq",
    {
        use self as few;
        type Register = __m128i;
        const LANES: usize = 1;
    },
    {
        pub fn load(from: &[u128; LANES]) -> Register {
            // SAFETY: reads the 16 bytes of the reference, at any alignment.
            unsafe { _mm_loadu_si128(from.as_ptr().cast()) }
        }
        pub fn store(register: Register, to: &mut [u128; LANES]) {
            // SAFETY: writes the 16 bytes of the reference, at any alignment.
            unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), register) }
        }
        pub fn fill(element: u128) -> Register {
            _mm_set_epi64x((element >> 64) as i64, element as i64)
        }
        pub fn sum(register: Register) -> u128 {
            let mut element = [0];
            store(register, &mut element);
            element[0]
        }
        fn clmul<const HALVES: i32>(a: Register, b: Register) -> Register {
            _mm_clmulepi64_si128::<HALVES>(a, b)
        }
        fn xor(a: Register, b: Register) -> Register {
            _mm_xor_si128(a, b)
        }
        fn up(a: Register) -> Register {
            _mm_slli_si128::<8>(a)
        }
        fn swap(a: Register) -> Register {
            _mm_shuffle_epi32::<0x4e>(a)
        }
        pub fn product(a: u128, b: u128) -> u128 {
            sum(Factor::new(a).times(fill(b)))
        }
    }
);

registers!(
    wide,
    "pclmulqdq,vpclmulqdq,avx2",
    {
        use narrow as few;
        type Register = __m256i;
        const LANES: usize = 2;
    },
    {
        fn load(from: &[u128; LANES]) -> Register {
            // SAFETY: reads the 32 bytes of the reference, at any alignment.
            unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
        }
        fn store(register: Register, to: &mut [u128; LANES]) {
            // SAFETY: writes the 32 bytes of the reference, at any alignment.
            unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), register) }
        }
        fn fill(element: u128) -> Register {
            _mm256_broadcastsi128_si256(narrow::fill(element))
        }
        fn sum(register: Register) -> u128 {
            let (low, high) = (_mm256_castsi256_si128(register), _mm256_extracti128_si256::<1>(register));
            narrow::sum(_mm_xor_si128(low, high))
        }
        fn clmul<const HALVES: i32>(a: Register, b: Register) -> Register {
            _mm256_clmulepi64_epi128::<HALVES>(a, b)
        }
        fn xor(a: Register, b: Register) -> Register {
            _mm256_xor_si256(a, b)
        }
        fn up(a: Register) -> Register {
            _mm256_slli_si256::<8>(a)
        }
        fn swap(a: Register) -> Register {
            _mm256_shuffle_epi32::<0x4e>(a)
        }
    }
);
