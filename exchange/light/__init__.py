"""A light member: one that asks a few others about what it saw, and has no node.

It runs the very sessions of a node, from a home that is unpacked from one file: both policies decide, the
intent is in its ledger before the first byte, receipts are signed, logs are compared.
"""

from exchange.light.asked import Asked, sift
from exchange.light.folder import (
    OWN_NETWORK,
    LightHome,
    alone,
    default_folder,
    light_policy,
    pack,
    unpack,
)

__all__ = [
    "OWN_NETWORK",
    "Asked",
    "LightHome",
    "alone",
    "default_folder",
    "light_policy",
    "pack",
    "sift",
    "unpack",
]
