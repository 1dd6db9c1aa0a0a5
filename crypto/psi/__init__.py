"""Private set intersection: one file per protocol, found by discovery.

``DISCOVERED[name].receiver`` and ``.sender`` are the two roles; ``PROTOCOLS`` are those whose output says
which items are shared and that take nothing but items. Discovery is not permission: a node runs only what its
policy lists. The file of ``x-y`` is ``x_y.py``.
"""

from importlib import import_module
from pkgutil import iter_modules

from crypto.psi.base import (
    Ahead,
    Band,
    Brings,
    Contexts,
    Count,
    Estimate,
    Matches,
    Noisy,
    Output,
    Params,
    Protocol,
    Result,
    Reveals,
    Total,
)

_FOUND: list[Protocol] = [
    import_module(f"{__name__}.{info.name}").PROTOCOL
    for info in iter_modules(__path__)
    if info.name != "base"
]

DISCOVERED = {protocol.name: protocol for protocol in _FOUND}

PROTOCOLS = {
    name: protocol
    for name, protocol in DISCOVERED.items()
    if protocol.reveals is Reveals.OVERLAP and protocol.brings is Brings.NOTHING
}

__all__ = [
    "DISCOVERED",
    "PROTOCOLS",
    "Ahead",
    "Band",
    "Brings",
    "Contexts",
    "Count",
    "Estimate",
    "Matches",
    "Noisy",
    "Output",
    "Params",
    "Protocol",
    "Result",
    "Reveals",
    "Total",
]
