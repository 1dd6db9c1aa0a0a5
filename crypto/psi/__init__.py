"""Private set intersection: one file per protocol, found by discovery.

``DISCOVERED[name].receiver`` and ``.sender`` are the two roles; ``PROTOCOLS`` are those whose output says
which items are shared. Discovery is not permission: a node runs only what its policy lists.
"""

from importlib import import_module
from pkgutil import iter_modules

from crypto.psi.base import Ahead, Count, Matches, Output, Params, Protocol, Reveals

DISCOVERED: dict[str, Protocol] = {
    info.name: import_module(f"{__name__}.{info.name}").PROTOCOL
    for info in iter_modules(__path__)
    if info.name != "base"
}

PROTOCOLS = {name: found for name, found in DISCOVERED.items() if found.reveals is Reveals.OVERLAP}

__all__ = [
    "DISCOVERED",
    "PROTOCOLS",
    "Ahead",
    "Count",
    "Matches",
    "Output",
    "Params",
    "Protocol",
    "Reveals",
]
