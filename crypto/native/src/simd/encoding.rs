//! Between four ristretto255 encodings, or uniform bytes, and four points (RFC 9496, section 4.3).
#![forbid(unsafe_code)]

use super::curve::{Factors4, Point4};
use super::field::{
    limbs_of, Mask, D, D_MINUS_ONE_SQ, F4, INVSQRT_A_MINUS_D, ONE, ONE_MINUS_D_SQ, SQRT_AD_MINUS_ONE, SQRT_M1,
};
use zeroize::{Zeroize, Zeroizing};

impl Point4 {
    /// Where a point is the identity (of the quotient group).
    #[target_feature(enable = "avx2")]
    pub fn is_identity(&self) -> Mask {
        self.x.is_zero().or(self.y.is_zero())
    }

    /// The points of four encodings, and which of them are canonical.
    #[target_feature(enable = "avx2")]
    pub fn decode(rows: &[[u8; 32]; 4]) -> (Self, [bool; 4]) {
        let one = F4::splat(&ONE);
        let s = F4::from_lanes(&rows.map(|row| limbs_of(&row)));
        let ss = s.square();
        let (u1, u2) = (one.sub(&ss), one.add(&ss));
        let u2_squared = u2.square();
        let v = F4::splat(&D).mul(&u1.square()).add(&u2_squared).carry().neg().carry();
        let (square, root) = F4::sqrt_ratio(&one, &v.mul(&u2_squared));
        let den_x = root.mul(&u2);
        let den_y = root.mul(&den_x.mul(&v));
        let x = s.add(&s).mul(&den_x).absolute();
        let y = u1.mul(&den_y);
        let t = x.mul(&y);
        let (square, negative, zero) = (square.flags(), t.is_negative().flags(), y.is_zero().flags());
        let good = |lane: usize| is_canonical(&rows[lane]) && square[lane] && !negative[lane] && !zero[lane];
        (Point4 { x, y, z: one, t }, [good(0), good(1), good(2), good(3)])
    }

    /// The one-way map of RFC 9496, section 4.3.4, for four times 64 uniform bytes.
    #[target_feature(enable = "avx2")]
    pub fn one_way_map(uniform: &[[u8; 64]; 4]) -> Self {
        let half = |start: usize| {
            uniform.map(|bytes| {
                let mut half = [0; 32];
                half.copy_from_slice(&bytes[start..start + 32]);
                limbs_of(&half)
            })
        };
        elligator(&F4::from_lanes(&half(0))).add(&elligator(&F4::from_lanes(&half(32))).summand())
    }

    /// The encoding of each point.
    #[target_feature(enable = "avx2")]
    pub fn encode(&self) -> [[u8; 32]; 4] {
        let i = F4::splat(&SQRT_M1);
        let u1 = self.z.add(&self.y).mul(&self.z.sub(&self.y));
        let u2 = self.x.mul(&self.y);
        let (_, root) = F4::sqrt_ratio(&F4::splat(&ONE), &u1.mul(&u2.square()));
        let (den1, den2) = (root.mul(&u1), root.mul(&u2));
        let z_inverse = den1.mul(&den2).mul(&self.t);
        let rotate = self.t.mul(&z_inverse).is_negative();
        let x = F4::select(rotate, &self.y.mul(&i), &self.x);
        let y = F4::select(rotate, &self.x.mul(&i), &self.y);
        let den_inverse = F4::select(rotate, &den1.mul(&F4::splat(&INVSQRT_A_MINUS_D)), &den2);
        let y = y.negate_where(x.mul(&z_inverse).is_negative()).carry();
        self.z.sub(&y).mul(&den_inverse).absolute().to_bytes()
    }

    /// Encodings of the doubles of all points, with one inversion.
    #[target_feature(enable = "avx2")]
    pub fn encode_doubles(points: &[Point4], mut write: impl FnMut(usize, [[u8; 32]; 4])) {
        let mut halves = Zeroizing::new(Vec::with_capacity(points.len()));
        let mut inverses = Zeroizing::new(Vec::with_capacity(points.len()));
        for point in points {
            let half = Doubled4::of(point);
            inverses.push(half.eg.mul(&half.fh));
            halves.push(half);
        }
        F4::invert_all(&mut inverses);
        for (at, (half, inverse)) in halves.iter().zip(inverses.iter()).enumerate() {
            write(at, half.encode(inverse));
        }
    }
}

/// The factors of a double, as its encoding takes them.
#[derive(Zeroize)]
struct Doubled4 {
    e: F4,
    f: F4,
    g: F4,
    h: F4,
    eg: F4,
    fh: F4,
}

impl Doubled4 {
    #[target_feature(enable = "avx2")]
    fn of(point: &Point4) -> Self {
        let zz = point.z.square();
        let dtt = point.t.square().mul(&F4::splat(&D));
        let e = point.x.mul(&point.y.add(&point.y));
        let f = zz.add(&dtt).carry();
        let g = point.y.square().add(&point.x.square()).carry();
        let h = zz.sub(&dtt).carry();
        Doubled4 { e, f, g, h, eg: e.mul(&g), fh: f.mul(&h) }
    }

    /// `inverse` is that of `efgh`. An isogeny of degree two saves the root that plain encoding needs
    /// (Hamburg, "Decaf", CRYPTO 2015, and curve25519-dalek's `double_and_compress_batch`, whose steps these
    /// are).
    #[target_feature(enable = "avx2")]
    fn encode(&self, inverse: &F4) -> [[u8; 32]; 4] {
        let i = F4::splat(&SQRT_M1);
        let z_inverse = self.eg.mul(inverse);
        let t_inverse = self.fh.mul(inverse);
        let rotate = self.eg.mul(&z_inverse).is_negative();
        let e = F4::select(rotate, &self.g, &self.e);
        let g = F4::select(rotate, &self.e.neg(), &self.g).carry();
        let h = F4::select(rotate, &self.f.mul(&i), &self.h);
        let magic = F4::select(rotate, &i, &F4::splat(&INVSQRT_A_MINUS_D));
        let g = g.negate_where(h.mul(&e).mul(&z_inverse).is_negative()).carry();
        h.sub(&g).mul(&magic.mul(&g.mul(&t_inverse))).absolute().to_bytes()
    }
}

/// The map of RFC 9496, section 4.3.4, from a field element.
#[target_feature(enable = "avx2")]
fn elligator(t: &F4) -> Point4 {
    let one = F4::splat(&ONE);
    let d = F4::splat(&D);
    let minus_one = one.neg();
    let r = t.square().mul(&F4::splat(&SQRT_M1));
    let u = r.add(&one).mul(&F4::splat(&ONE_MINUS_D_SQ));
    let v = minus_one.sub(&r.mul(&d)).mul(&r.add(&d));
    let (square, root) = F4::sqrt_ratio(&u, &v);
    let s = F4::select(square, &root, &root.mul(t).absolute().neg()).carry();
    let c = F4::select(square, &minus_one, &r);
    let n = c.mul(&r.sub(&one)).mul(&F4::splat(&D_MINUS_ONE_SQ)).sub(&v);
    let ss = s.square();
    let factors = Factors4 {
        e: s.add(&s).mul(&v),
        f: one.add(&ss),
        g: n.mul(&F4::splat(&SQRT_AD_MINUS_ONE)),
        h: one.sub(&ss),
    };
    factors.extended()
}

/// Whether 32 bytes are even and below p.
fn is_canonical(row: &[u8; 32]) -> bool {
    let at_least_p = row[31] == 0x7f && row[1..31].iter().all(|&byte| byte == 0xff) && row[0] >= 0xed;
    row[0] & 1 == 0 && row[31] < 0x80 && !at_least_p
}
