"""A table in CSV that a spreadsheet opens as text.

A cell that begins with ``= + - @``, a tab or a carriage return is a formula to a spreadsheet, and feeds come
from strangers. Such a cell gets an apostrophe in front, and so does one that begins with an apostrophe: to
get the value back, take one leading apostrophe away.

Source: RFC 4180; OWASP, CSV Injection.
"""

import csv
import io
from datetime import datetime

from exchange.export.selection import Export, Shared
from exchange.export.words import cell

COLUMNS = (
    "type", "value", "tlp", "pap", "first_seen", "last_seen", "valid_until", "confidence", "sightings",
    "malware", "techniques", "phases", "tags", "comment", "peer_says",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def table(export: Export) -> bytes:
    """The table of an export, UTF-8: a row for each item, several words in a cell parted by semicolons."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([guarded(text) for text in _row(item, export.peer)] for item in export.items)
    return written.getvalue().encode()


def guarded(text: str) -> str:
    """A cell that no spreadsheet computes."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _row(item: Shared, peer: str) -> list[str]:
    told = item.context
    return [
        str(item.indicator.type), item.indicator.value, str(item.tlp_of_all), str(item.pap_of_all or ""),
        *map(_time, (told.first_seen, told.last_seen, told.valid_until)),
        *("" if n is None else str(n) for n in (told.confidence, told.sightings)),
        *map(";".join, (told.malware, told.techniques, told.phases, told.tags)), told.comment,
        "" if item.peer_says is None else cell(peer, item.peer_says.context),
    ]  # fmt: skip


def _time(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat()
