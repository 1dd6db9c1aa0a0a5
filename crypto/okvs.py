"""Oblivious key-value store: a table that maps the keys it was made of to their values, and hides the keys.

Where the values are random, the table is uniformly random whatever the keys are; any other key decodes to a
value that looks random. Keys are item rows hashed under a salt, which both parties must have fixed *after*
their items. How slots follow from the number of keys, and why an encoding exists but with chance 2^-40:
docs/okvs.md.

Working with a store needs no order: ``Keys`` are sorted by where they touch the table, ``decode_sorted``,
``Keys.digests`` and ``Keys.values`` follow that order, and ``Keys.order`` says which item stands where. Only
``decode`` and the values given to ``encode`` are in the order of the items.

Which slots are touched depends on the caller's own items, so it shows in caches of the caller's machine. No
value decides anything.

Source: Bienstock, Patel, Seo, Yeo, "Near-Optimal Oblivious Key-Value Stores for Efficient PSI, PSU and
Volume-Hiding Multi-Maps", USENIX Security 2023.
"""

from secrets import token_bytes

from crypto import _native
from crypto._native import OkvsKeys as Keys
from crypto.errors import ParameterError
from crypto.group import Rng
from crypto.rows import Rows, check

__all__ = [
    "ITEM_BYTES",
    "MAX_KEYS",
    "SALT_BYTES",
    "VALUE_BYTES",
    "Keys",
    "decode",
    "decode_sorted",
    "encode",
    "hash_items",
    "slots",
]

ITEM_BYTES = 32
VALUE_BYTES = 16
SALT_BYTES = 16
MAX_KEYS = 2**26
_SEED_BYTES = 16


def slots(n: int) -> int:
    """How many slots a store of ``n`` keys has.

    Raises:
        ParameterError: a store has 0 to 2^26 keys.
    """
    if not 0 <= n <= MAX_KEYS:
        raise ParameterError("a store has 0 to 2^26 keys")
    return _native.okvs_slots(n)


def hash_items(items: Rows, *, capacity: int, salt: bytes) -> Keys:
    """Hash items to keys of a store, and sort them. Once for ``encode`` and every ``decode``.

    Args:
        items: ``(n, 32)`` uint8, distinct if they are to be encoded.
        capacity: for how many keys the store is made: the size of the set that is encoded.
        salt: 16 bytes, public, fixed after the items of both parties.

    Returns:
        The keys: ``len``; ``slots``; ``order``, ``(n,)`` uint32, the item of each key; ``repeated``, whether
        two items are equal; ``digests()``, ``(n, 16)``, the hashed items, and ``values()``, ``(n, 16)``,
        their ``H_B``, in the order of the keys.

    Raises:
        ParameterError: no rows of 32 bytes, too many, or the salt has another length.
    """
    check(items, width=ITEM_BYTES)
    slots(capacity)
    if len(items) > MAX_KEYS:
        raise ParameterError("a store has 0 to 2^26 keys")
    if len(salt) != SALT_BYTES:
        raise ParameterError(f"the salt of a store has {SALT_BYTES} bytes")
    return _native.okvs_hash(items, capacity, salt)


def encode(keys: Keys, values: Rows | None = None, *, rng: Rng = token_bytes) -> Rows:
    """A table from which each key decodes to its value, uniform among all such tables.

    Args:
        keys: distinct, at most as many as their capacity.
        values: ``(n, 16)`` uint8 in the order of the items, or ``None`` for ``H_B`` of each key.
        rng: what free slots are drawn with.

    Returns:
        ``(slots, 16)`` uint8. A function of keys, values and what the rng gave.

    Raises:
        ParameterError: an item stands twice, or an array has another shape.
        EncodingFailed: there is none, with chance 2^-40 over the salt; the table needs another salt.
    """
    if values is not None:
        check(values, width=VALUE_BYTES)
    seed = rng(_SEED_BYTES)
    if len(seed) != _SEED_BYTES:
        raise ParameterError("the rng does not give what it is asked for")
    return _native.okvs_encode(keys, values, seed)


def decode(table: Rows, keys: Keys) -> Rows:
    """The value of each item.

    Args:
        table: ``(slots, 16)`` uint8, of as many slots as the keys were hashed for.
        keys: any, not only those that the table was made of.

    Returns:
        ``(n, 16)`` uint8 in the order of the items.

    Raises:
        ParameterError: the table has another shape.
    """
    check(table, width=VALUE_BYTES)
    return _native.okvs_decode(table, keys)


def decode_sorted(table: Rows, keys: Keys) -> Rows:
    """The same values in the order of the keys, without a cache miss an item.

    Raises:
        ParameterError: the table has another shape.
    """
    check(table, width=VALUE_BYTES)
    return _native.okvs_decode_sorted(table, keys)
