"""What a match found, in the forms that other tools read: STIX 2.1, a MISP event, CSV.

Pure: a result with what the peer says of it, and what our store says, come in, bytes go out. ``select``
decides what may be written and under which marking; the writers only write.
"""

import json
from collections.abc import Callable
from enum import StrEnum

from exchange.export.ids import KEY_BYTES, Ids
from exchange.export.misp import event
from exchange.export.result import MatchResult
from exchange.export.selection import Export, PeerSays, Said, Shared, select
from exchange.export.stix import bundle
from exchange.export.table import table

__all__ = [
    "KEY_BYTES",
    "Export",
    "Format",
    "Ids",
    "MatchResult",
    "PeerSays",
    "Said",
    "Shared",
    "format_of",
    "render",
    "select",
]


class Format(StrEnum):
    """The forms of an export. The value is what stands after ``--format``."""

    STIX = "stix"
    MISP = "misp"
    CSV = "csv"


ENDINGS = {".stix.json": Format.STIX, ".misp.json": Format.MISP, ".csv": Format.CSV}
"""The form that the end of a file's name asks for."""

_WRITERS: dict[Format, Callable[[Export, Ids], bytes]] = {
    Format.STIX: lambda export, ids: _json(bundle(export, ids)),
    Format.MISP: lambda export, ids: _json(event(export, ids)),
    Format.CSV: lambda export, _: table(export),
}


def render(form: Format, export: Export, ids: Ids) -> bytes:
    """Write an export in one of the forms, in UTF-8.

    Args:
        form: which.
        export: what ``select`` chose.
        ids: makes the identifiers of this node.
    """
    return _WRITERS[form](export, ids)


def format_of(name: str) -> Format | None:
    """The form that the end of a file's name asks for, or ``None``."""
    return next((form for ending, form in ENDINGS.items() if name.lower().endswith(ending)), None)


def _json(document: dict[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"  # indented, it takes five times as long
