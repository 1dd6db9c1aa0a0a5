"""The masks of a vector: put on by its member, taken off a sum, and taken off again by whoever replays.

``y_i = x_i + PRG(b_i) + sum_{j > i} PRG(s_ij) - sum_{j < i} PRG(s_ij)`` modulo 2^w, over all ``j`` that
dealt. In the sum over the survivors the masks of two survivors cancel. What is left are their own masks, and
the masks they have with those that dropped out: the seeds of both are opened.

Source: Bonawitz et al., CCS 2017, section 5 and figure 4.
"""

from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crypto.errors import Blamed, ParameterError, ProtocolError
from crypto.hashing import HASH_BYTES
from crypto.rows import Rows, table
from crypto.secagg import keys, ring
from crypto.secagg.base import Setup
from crypto.secagg.keys import SECRET_BYTES, Secrets
from crypto.secagg.ring import Vector
from crypto.secagg.view import View


def own_words(setup: Setup, vector: NDArray[Any], noise: NDArray[Any] | None) -> Vector:
    """A member's vector as words of the ring, checked; a copy.

    Args:
        setup: what was agreed on.
        vector: ``(d,)`` unsigned integers of the agreed width.
        noise: ``(d,)`` signed integers to be added, or none.

    Raises:
        ParameterError: it has another shape or type, an entry is above the cap, or there is noise and no room
            for it.
    """
    if not isinstance(vector, np.ndarray) or vector.dtype != setup.words or vector.shape != (setup.size,):
        raise ParameterError(f"the vector is a one-dimensional array of {setup.size} {setup.words} words")
    words = np.array(vector, setup.words)
    ring.checked(words, setup.cap)
    if noise is not None:
        if noise.shape != words.shape or not np.issubdtype(noise.dtype, np.signedinteger):
            raise ParameterError("noise is a signed integer for each word")
        if max(int(noise.max()), -int(noise.min())) > setup.reserve:
            raise ParameterError("there is more noise than was agreed on")
        ring.add(words, noise.astype(setup.words))
    return words


def put_on(view: View, position: int, secrets: Secrets, words: Vector) -> None:
    """Mask a vector, in place, with the own mask and one for each other member that dealt."""
    others = [other for other in view.dealt if other != position]
    seeds = np.empty((1 + len(others), SECRET_BYTES), np.uint8)
    seeds[0] = np.frombuffer(secrets.own, np.uint8)
    for place, other in enumerate(others, start=1):
        seeds[place] = np.frombuffer(_pair_seed(view, secrets.mask, position, other), np.uint8)
    ring.add_masks(words, seeds, [1, *(_sign(position, other) for other in others)])
    seeds.fill(0)


@dataclass(frozen=True, slots=True, repr=False)
class Rest:
    """The masks that do not cancel in the sum of the survivors' vectors.

    Attributes:
        seeds: ``(k, 32)`` uint8.
        signs: how to take each off.
    """

    seeds: Rows
    signs: tuple[int, ...]

    def take_off(self, words: Vector, *, offset: int = 0) -> None:
        """Take them off, in place; ``offset`` is where ``words`` begin in the whole sum."""
        ring.add_masks(words, self.seeds, self.signs, offset=offset)


def rest(view: View, seeds: Rows) -> Rest:
    """All masks that are left, from what was opened.

    Args:
        view: up to the roots.
        seeds: ``(|U2|, 32)``: of survivors the seed of the own mask, of the others the mask key.

    Raises:
        Blamed: a seed is not what its member committed to, or not the secret of the key it announced: whoever
            says that these were opened lies.
    """
    found: list[bytes] = []
    signs: list[int] = []
    for position, seed in zip(view.dealt, seeds, strict=True):
        secret = seed.tobytes()
        if not is_opened(view, position, secret):
            raise Blamed((), "bad-seed")
        if position in view.survivors:
            found.append(secret)
            signs.append(-1)
        else:
            found += (_pair_seed(view, secret, position, other) for other in view.survivors)
            signs += (-_sign(other, position) for other in view.survivors)
    return Rest(table(found, SECRET_BYTES), tuple(signs))


def is_opened(view: View, position: int, secret: bytes | bytearray) -> bool:
    """Whether this is the secret of a member that was to be opened: which of the two its survival decides."""
    if position in view.survivors:
        mine, announced = keys.commit(view.setup.context, position, secret), view.commitment(position)
    else:
        mine, announced = keys.public_key(secret), view.mask_key(position)
    return compare_digest(mine, announced)


def result(setup: Setup, survivors: int, words: Vector) -> NDArray[Any]:
    """An unmasked sum as it is read: signed where there is room for noise.

    Raises:
        ProtocolError: a number is larger than so many members make that keep to the cap. Which of them did
            not, nobody can say.
    """
    vector = words.view(f"<i{setup.word_bytes}") if setup.reserve else words
    least, most = -setup.reserve, survivors * setup.cap + setup.reserve
    if int(vector.min()) < least or int(vector.max()) > most:
        raise ProtocolError("a number of the sum is larger than members that keep to the cap make")
    return vector


def chunks(setup: Setup) -> int:
    """How many chunks a vector has."""
    return -(-setup.size * setup.word_bytes // ring.CHUNK_BYTES)


def chunk_words(setup: Setup, chunk: int) -> slice:
    """Which words a chunk has.

    Raises:
        ParameterError: there is no such chunk.
    """
    if not 0 <= chunk < chunks(setup):
        raise ParameterError(f"a vector of this run has {chunks(setup)} chunks")
    each = ring.CHUNK_BYTES // setup.word_bytes
    return slice(chunk * each, min((chunk + 1) * each, setup.size))


def check_digests(view: View, digests: Rows) -> None:
    """Check the digests of all masked vectors against the roots that their members signed.

    Args:
        view: up to the roots.
        digests: ``(|U3|, 32 * chunks)``.

    Raises:
        Blamed: they are others.
    """
    for root, row in zip(view.roots, digests, strict=True):
        if ring.root(row.reshape(-1, HASH_BYTES)) != root.tobytes():
            raise Blamed((), "bad-digests")


def replay(view: View, left: Rest, chunk: int, masked: Rows, *, digests: Rows, vector: Vector) -> None:
    """Compute one chunk of the result from the masked vectors that were signed, and compare.

    Args:
        view: up to the roots.
        left: from ``rest``.
        chunk: its number.
        masked: ``(|U3|, bytes of the chunk)``: that chunk of every survivor's masked vector.
        digests: ``(|U3|, 32 * chunks)``, which passed ``check_digests``.
        vector: ``(d,)`` words, the result that is claimed.

    Raises:
        Blamed: a chunk is not the one that its member signed, or the result is another: the coordinator lies.
    """
    where = chunk_words(view.setup, chunk)
    signed = digests[:, chunk * HASH_BYTES : (chunk + 1) * HASH_BYTES]
    if not np.array_equal(ring.chunk_digests(masked, chunk), signed):
        raise Blamed((), "bad-chunk")
    total = np.zeros(where.stop - where.start, view.setup.words)
    for row in masked:
        ring.add(total, row.view(view.setup.words))
    left.take_off(total, offset=where.start)
    if not np.array_equal(total, vector[where]):
        raise Blamed((), "altered-result")


def _pair_seed(view: View, secret: bytes | bytearray, position: int, other: int) -> bytes:
    return keys.pair_seed(view.setup.context, secret, position, view.mask_key(other), other)


def _sign(position: int, other: int) -> int:
    """How a member puts on the mask that it has with another one."""
    return 1 if other > position else -1
