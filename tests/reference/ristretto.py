"""ristretto255 in Python integers, word for word after RFC 9496, section 4. Slow, obvious, variable time."""

from dataclasses import dataclass

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def is_negative(value: int) -> bool:
    return value % 2 == 1


def absolute(value: int) -> int:
    return P - value if is_negative(value) else value


def sqrt_ratio_m1(u: int, v: int) -> tuple[bool, int]:
    """Whether ``u / v`` is a square, and the non-negative root of it, or of ``SQRT_M1 * u / v``."""
    r = u * v**3 * pow(u * v**7, (P - 5) // 8, P) % P
    check = v * r * r % P
    if check in {-u % P, -u * SQRT_M1 % P}:
        r = r * SQRT_M1 % P
    return check in {u % P, -u % P}, absolute(r)


_, INVSQRT_A_MINUS_D = sqrt_ratio_m1(1, (-1 - D) % P)
ONE_MINUS_D_SQ = (1 - D * D) % P
D_MINUS_ONE_SQ = (D - 1) ** 2 % P
# RFC 9496, section 4.1: this root is the odd one.
SQRT_AD_MINUS_ONE = P - sqrt_ratio_m1((-D - 1) % P, 1)[1]


@dataclass(frozen=True, eq=False)
class Point:
    """Affine coordinates on -x^2 + y^2 = 1 + d x^2 y^2; equality is that of the quotient group."""

    x: int
    y: int

    def __add__(self, other: "Point") -> "Point":
        product = D * self.x * other.x * self.y * other.y % P
        x = (self.x * other.y + self.y * other.x) * pow(1 + product, -1, P)
        y = (self.y * other.y + self.x * other.x) * pow(1 - product, -1, P)
        return Point(x % P, y % P)

    def __rmul__(self, scalar: int) -> "Point":
        total, power = IDENTITY, self
        for bit in reversed(f"{scalar % ORDER:b}"):
            if bit == "1":
                total += power
            power += power
        return total

    def __eq__(self, other: object) -> bool:
        """Section 4.3.3."""
        if not isinstance(other, Point):
            return NotImplemented
        return (self.x * other.y - self.y * other.x) % P == 0 or (
            self.y * other.y - self.x * other.x
        ) % P == 0

    def __hash__(self) -> int:
        return hash(self.encode())

    def encode(self) -> bytes:
        """Section 4.3.2, with Z = 1."""
        x, y, t = self.x, self.y, self.x * self.y % P
        u1 = (1 + y) * (1 - y) % P
        u2 = x * y % P
        _, invsqrt = sqrt_ratio_m1(1, u1 * u2 * u2 % P)
        den1, den2 = invsqrt * u1 % P, invsqrt * u2 % P
        z_inv = den1 * den2 * t % P
        if is_negative(t * z_inv % P):
            x, y, den_inv = y * SQRT_M1 % P, x * SQRT_M1 % P, den1 * INVSQRT_A_MINUS_D % P
        else:
            den_inv = den2
        if is_negative(x * z_inv % P):
            y = -y % P
        return absolute(den_inv * (1 - y) % P).to_bytes(32, "little")


def decode(data: bytes) -> Point:
    """Section 4.3.1.

    Raises:
        ValueError: no canonical encoding.
    """
    s = int.from_bytes(data, "little")
    if len(data) != 32 or s >= P or is_negative(s):
        raise ValueError("not canonical")
    ss = s * s % P
    u1, u2 = (1 - ss) % P, (1 + ss) % P
    v = (-D * u1 * u1 - u2 * u2) % P
    was_square, invsqrt = sqrt_ratio_m1(1, v * u2 * u2 % P)
    den_x, den_y = invsqrt * u2 % P, invsqrt * invsqrt * u2 * v % P
    x = absolute(2 * s * den_x % P)
    y = u1 * den_y % P
    if not was_square or is_negative(x * y % P) or y == 0:
        raise ValueError("no element")
    return Point(x, y)


def one_way_map(uniform: bytes) -> Point:
    """Section 4.3.4: 64 uniform bytes to an element."""
    low, high = (int.from_bytes(half, "little") % 2**255 % P for half in (uniform[:32], uniform[32:]))
    return _map(low) + _map(high)


def _map(t: int) -> Point:
    r = SQRT_M1 * t * t % P
    u = (r + 1) * ONE_MINUS_D_SQ % P
    v = (-1 - r * D) * (r + D) % P
    was_square, s = sqrt_ratio_m1(u, v)
    c = -1
    if not was_square:
        s, c = -absolute(s * t % P) % P, r
    n = (c * (r - 1) * D_MINUS_ONE_SQ - v) % P
    w0, w1 = 2 * s * v % P, n * SQRT_AD_MINUS_ONE % P
    w2, w3 = (1 - s * s) % P, (1 + s * s) % P
    return Point(w0 * pow(w1, -1, P) % P, w2 * pow(w3, -1, P) % P)


IDENTITY = Point(0, 1)
GENERATOR = decode(bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"))
