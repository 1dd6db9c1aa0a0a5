"""Our protocols as they are measured beside others: the largest set, the settings, the adversary of each."""

import sys
from typing import Any

from crypto.psi import DISCOVERED, Brings
from exchange.local.alliance import BANDS, EPSILON_MILLI, LABEL_BYTES

USUAL = ("vole", "voprf", "cardinality", "estimate")
"""Run over every link in a short comparison; the others cost what one of these does, and a little more."""
CLASSES = ("none", "semi-honest", "malicious")
"""Of adversaries that a system is secure against."""
_LARGE = {"vole": 1 << 24, "estimate": 1 << 24, "vole-context": 1 << 22}
_MOST = 1 << 20
_SETTINGS = {
    "cardinality-banded": f"bands from {', '.join(map(str, BANDS))}",
    "cardinality-noisy": f"epsilon {EPSILON_MILLI / 1000:g}",
    "voprf-epoch": "sessions of an epoch after its first, which costs what voprf does, with no new item",
    "sum": "of the number of sightings",
}


def most(name: str) -> int:
    """The largest set that a protocol is run with here.

    Above, those of elliptic curves take minutes, and nobody would choose them; and contexts, of a kibibyte
    each, are 17 GB at 2^24, of which the receiver holds those of what is shared.
    """
    return _LARGE.get(name, _MOST)


def facts(name: str) -> dict[str, Any]:
    """What stands beside a protocol's numbers."""
    context = DISCOVERED[name].brings is Brings.CONTEXTS
    settings = f"contexts filled up to {LABEL_BYTES:,} bytes" if context else _SETTINGS.get(name, "")
    return {
        "packages": ["cosight"],
        "settings": settings,
        "security": _adversary(name),
        "most": most(name),
    }


def _adversary(name: str) -> str:
    """The paragraph of a protocol's page that says against whom it is secure; its class comes first."""
    text = sys.modules[DISCOVERED[name].receiver.__module__].__doc__ or ""
    found = next(part for part in text.split("\n\n") if part.startswith("Adversary: "))
    says = " ".join(found.removeprefix("Adversary: ").split())
    if says.startswith("that of ``"):
        other = says.split("``")[1]
        return f"{security_class(_adversary(other))}: {says}"
    return says


def security_class(words: str) -> str:
    """Which adversary: the first word of what a subject says.

    Raises:
        ValueError: it begins with none.
    """
    for name in CLASSES:
        if words.lower().startswith(name):
            return name
    raise ValueError(f"no adversary: {words}")
