"""The tags of a set that is published as a filter for an epoch, under one key of its publisher.

A tag is what an asker computes of the OPRF output of an item, and the publisher of its own items. Who holds
the filter learns how many tags it has, filled up with random ones, and nothing of what they stand for: it
needs the key for every guess. So it asks, and the publisher counts. For what it has asked, an asker can tell
until the epoch ends whether it is in any filter of that epoch. The publisher learns how many questions there
are, and nothing of them: they are blinded, and what comes back is proved to be under the one key that is
published.

Buckets serve to confirm what a lossy filter seems to hold: the asker names the first bits of a tag, and is
given all tags that begin so. The publisher learns that the asker asked about one of those, or about nothing
of its set at all; there are ``BUCKET`` of them or more in all but one of a hundred million buckets.

Source: Jarecki, Liu, "Efficient Oblivious Pseudorandom Function", TCC 2009, whose keyword search this is; Li
et al., "Protocols for Checking Compromised Credentials", CCS 2019, for what a bucket tells.
"""

import numpy as np
from numpy.typing import NDArray

from crypto import labels, oprf, rows
from crypto.errors import ParameterError
from crypto.filters import TAG_BYTES
from crypto.hashing import derive_key, keyed_rows
from crypto.oprf import Mode, PrivateKey
from crypto.rows import Rows

BUCKET = 64
"""Tags that share a bucket, but for bad luck: 128 to 255 on average where there are so many."""
PREFIX_BYTES = 4
_NUMBER_BYTES = 8


def epoch_key(seed: bytes, epoch: bytes) -> PrivateKey:
    """The key of an epoch, from the seed that its publisher keeps.

    Raises:
        ParameterError: the seed has not 32 bytes.
    """
    return oprf.derive_key(seed, epoch, Mode.VOPRF)


def tags_of(outputs: Rows, public_key: bytes) -> Rows:
    """The tags of OPRF outputs under the key that is published.

    Args:
        outputs: ``(n, 64)`` uint8.
        public_key: 32 bytes.

    Returns:
        ``(n, 16)`` uint8, uniform as long as the key is not known.

    Raises:
        ParameterError: the array is no table of outputs.
    """
    rows.check(outputs, width=oprf.OUTPUT_BYTES)
    key = derive_key(labels.FILTER_TAG, public_key)
    return np.ascontiguousarray(keyed_rows(key, outputs)[:, :TAG_BYTES])


def names_of(items: Rows, seed: bytes) -> Rows:
    """What a publisher remembers items by, beside their tags: nothing to whoever has not the seed.

    Args:
        items: ``(n, w)`` uint8.
        seed: of the epoch.

    Returns:
        ``(n, 16)`` uint8.
    """
    return np.ascontiguousarray(keyed_rows(derive_key(labels.FILTER_ITEM, seed), items)[:, :TAG_BYTES])


def filling(seed: bytes, count: int) -> Rows:
    """Tags that stand for nothing: the first ``count`` of the epoch, always the same ones.

    Were they drawn anew for each filter, two filters of an epoch would tell them from items.

    Returns:
        ``(count, 16)`` uint8.
    """
    numbers = np.arange(count, dtype="<u8").view(np.uint8).reshape(count, _NUMBER_BYTES)
    return np.ascontiguousarray(keyed_rows(derive_key(labels.FILTER_FILLING, seed), numbers)[:, :TAG_BYTES])


def bucket_bits(items: int) -> int:
    """How many bits name a bucket of a set of so many tags; 0 where all of it is one bucket."""
    return max(0, (items // (2 * BUCKET)).bit_length() - 1)


def buckets_of(tags: Rows, bits: int) -> NDArray[np.uint32]:
    """The bucket of each tag.

    Args:
        tags: ``(n, 16)`` uint8.
        bits: of ``bucket_bits``.

    Raises:
        ParameterError: the array is no table of tags.
    """
    rows.check(tags, width=TAG_BYTES)
    first = np.ascontiguousarray(tags[:, :PREFIX_BYTES]).view(">u4")[:, 0].astype(np.uint64)
    return (first >> np.uint64(8 * PREFIX_BYTES - bits)).astype(np.uint32)


def in_bucket(tags: Rows, bucket: int, bits: int) -> Rows:
    """The tags of a bucket.

    Args:
        tags: ``(n, 16)`` uint8, ascending.
        bucket: its number.
        bits: of ``bucket_bits``.

    Returns:
        ``(k, 16)`` uint8.

    Raises:
        ParameterError: there is no such bucket.
    """
    if not 0 <= bucket < 1 << bits:
        raise ParameterError("there is no such bucket")
    low, high = (_first_from(tags, (bucket + more) << (8 * PREFIX_BYTES - bits)) for more in (0, 1))
    return tags[low:high]


def _first_from(tags: Rows, prefix: int) -> int:
    """Where the first tag stands whose first bytes, as a number, are no less."""
    low, high = 0, len(tags)
    while low < high:
        middle = (low + high) // 2
        if int.from_bytes(tags[middle, :PREFIX_BYTES].tobytes(), "big") < prefix:
            low = middle + 1
        else:
            high = middle
    return low
