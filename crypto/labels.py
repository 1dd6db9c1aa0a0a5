"""Domain-separation labels, versioned, all in one place.

A label never changes its meaning: a new meaning is a new label. Each is used as a BLAKE3 ``derive_key``
context or as a prefix of signed bytes, so no two uses can be confused for one another.
"""

ITEM = "cosight 2026 item row v1"
TAG = "cosight 2026 psi tag v1"
MATCH_PROOF = "cosight 2026 psi proof of match v1"
