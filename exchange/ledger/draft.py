"""What is to be written into a ledger."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from exchange.ledger.document import Document
from exchange.ledger.leaf import Kind


class Draft(NamedTuple):
    """An entry to be appended.

    Attributes:
        kind: what is recorded.
        fields: what ``docs/ledger.md`` lists for this kind; ``what`` is a dictionary.
        documents: what the entry names by hash; kept beside it, and once.
    """

    kind: Kind | str
    fields: Mapping[str, object]
    documents: Sequence[Document] = ()
