"""What a peer says, in words.

Each thing stands under its name. A text is on one line (``Context.stated`` sees to it), and in a cell a
semicolon only parts two things: so nothing that a stranger writes passes for another thing that it says.
"""

from exchange.indicators.context import Context

MAX_CELL_CHARS = 15_000
"""The most in a cell: MISP keeps 65,535 bytes of a comment, a spreadsheet 32,767 characters of a cell."""

_NAMES = {
    "confidence": "confidence",
    "sightings": "sightings",
    "first_seen": "first seen",
    "last_seen": "last seen",
    "valid_until": "valid until",
    "malware": "malware",
    "techniques": "techniques",
    "phases": "phases",
    "tags": "tags",
    "comment": "comment",
}
_CUT = "..."


def lines(context: Context) -> list[str]:
    """What a context says, a line for each thing; markings are not among them."""
    told = context.to_json()
    return [f"{name} {_text(told[field])}" for field, name in _NAMES.items() if field in told]


def cell(peer: str, context: Context) -> str:
    """The same on one line, by whom first; what is too long for a cell ends with three dots."""
    line = "; ".join(line.replace(";", ",") for line in lines(context))
    whole = f"{peer}: {line}"
    return whole if len(whole) <= MAX_CELL_CHARS else whole[: MAX_CELL_CHARS - len(_CUT)] + _CUT


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
