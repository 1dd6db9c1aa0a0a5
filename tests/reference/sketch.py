"""Fast similarity sketching as it is defined: every throw of every item, and the least of each slot.

A throw of an item is BLAKE3 of both under a key of the salt. The upper half of its first eight bytes, scaled,
is the slot, unless the throw is one of those that hit one slot each; its next eight bytes are the value.
"""

from collections.abc import Sequence

from blake3 import blake3

from crypto import labels


def derived(label: str, salt: bytes) -> bytes:
    return blake3(len(salt).to_bytes(8, "little") + salt, derive_key_context=label).digest()


def hit(key: bytes, item: bytes, throw: int, slots: int) -> tuple[int, int]:
    """The slot that a throw hits, and its value."""
    drawn = blake3(item + throw.to_bytes(4, "little"), key=key).digest()
    anywhere = int.from_bytes(drawn[4:8], "little") * slots >> 32
    return (anywhere if throw < slots else throw - slots), int.from_bytes(drawn[8:16], "little")


def winners(items: Sequence[bytes], salt: bytes, slots: int) -> list[bytes]:
    """The item that wins each slot."""
    key = derived(labels.SKETCH_PLACE, salt)
    best: dict[int, tuple[int, int, bytes]] = {}
    for item in items:
        for throw in range(2 * slots):
            slot, value = hit(key, item, throw, slots)
            best[slot] = min(best.get(slot, (2 * slots, 0, b"")), (throw, value, item))
    return [best[slot][2] for slot in range(slots)]


def sketch(items: Sequence[bytes], salt: bytes, slots: int) -> list[bytes]:
    """The rows of a sketch of a set that is not empty."""
    key = derived(labels.SKETCH_ROW, salt)
    return [
        blake3(item + slot.to_bytes(4, "little"), key=key).digest()
        for slot, item in enumerate(winners(items, salt, slots))
    ]
