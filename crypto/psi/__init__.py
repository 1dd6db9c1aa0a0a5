"""Private set intersection: one file per protocol, found by discovery.

``PROTOCOLS[name].receiver`` and ``.sender`` are the two roles. Discovery is not permission: a node runs only
what its policy lists.
"""

from importlib import import_module
from pkgutil import iter_modules

from crypto.psi.base import Ahead, Matches, Output, Params, Protocol

PROTOCOLS: dict[str, Protocol] = {
    info.name: import_module(f"{__name__}.{info.name}").PROTOCOL
    for info in iter_modules(__path__)
    if info.name != "base"
}

__all__ = ["PROTOCOLS", "Ahead", "Matches", "Output", "Params", "Protocol"]
