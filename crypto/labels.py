"""Domain-separation labels, versioned, all in one place.

A label never changes its meaning: a new meaning is a new label. Each is used as a BLAKE3 ``derive_key``
context or as a prefix of signed bytes, so no two uses can be confused for one another.
"""

ITEM = "cosight 2026 item row v1"
TAG = "cosight 2026 psi tag v1"
MATCH_PROOF = "cosight 2026 psi proof of match v1"
ROSTER = "cosight 2026 roster v1"
INVITATION = "cosight 2026 invitation v1"
JOIN_REQUEST = "cosight 2026 join request v1"
MEMBER = "cosight 2026 member fingerprint v1"
BULK_FOLD = "cosight 2026 voprf bulk fold v1"
AGREEMENT = "cosight 2026 agreement v1"
AGREEMENT_SIGNATURE = "cosight 2026 agreement signature v1"
POLICY = "cosight 2026 policy v1"
OT_BASE = "cosight 2026 base transfers v1"
OT_EXTENSION = "cosight 2026 transfer extension v1"
VOLE_TRANSCRIPT = "cosight 2026 vole psi transcript v1"
VOLE_COMMITMENT = "cosight 2026 vole psi commitment v1"
VOLE_SALT = "cosight 2026 vole psi salt v1"
VOLE_COIN = "cosight 2026 vole psi coin v1"
EXPORT_ID = "cosight 2026 export identifier v1"
RECEIPT_INITIATOR = "cosight 2026 receipt initiator v1"
RECEIPT_RESPONDER = "cosight 2026 receipt responder v1"
TRANSCRIPT = "cosight 2026 run transcript v1"
