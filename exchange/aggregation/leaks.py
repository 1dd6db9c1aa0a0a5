"""What a discovery tells whom, in sentences: one true list for each way to count and to tell."""

from collections.abc import Mapping
from types import MappingProxyType

from crypto.secagg import discovery as tags
from crypto.secagg import strict as tables
from exchange.aggregation.round import Learns, Round

OF_ALL: Mapping[str, str] = MappingProxyType(
    {
        "helpers": "Each key helper learns how many new items a member asks about, and how many are found,"
        " both padded to a size class, and no item. All helpers together can guess items.",
        "relay": "The relay learns who takes part, when, how many records each sends, padded to a size class,"
        " and which items are found: the counter tells them through it.",
        "counter": "The counter learns how many members hold each tag, also below the threshold, which"
        " anonymous batches hold it, and the padded size of each. Of what is found it learns the item, and"
        " which anonymous batches hold it.",
        "members": "Every member that took part learns which items at least as many members hold as the"
        " threshold says, also those that it does not hold, how many do by the counter's word, and not who."
        " An item that no holder names stays unknown.",
        "counter and relay": "Counter and relay together learn which member holds which of the items that"
        " are found, and which member sent which batch. They can read every copy of a sealed batch and of"
        " sealed words until the counter deletes its key, when the epoch ends.",
        "counter and a helper": "The counter and a key helper together can tell batches by their size, where"
        " no two members are of one size; then they know who holds what is found.",
    }
)
"""Where everybody learns what is found."""
OF_COLLECTIVE: Mapping[str, str] = MappingProxyType(
    {
        "members": "A member learns of how many items at least as many members hold as the threshold says,"
        " by the counter's word, and not of which.",
        "members together": "Members that are one fewer than the threshold says, and put in their guesses,"
        " learn how many of these somebody else holds; with one guess, whether.",
    }
)
"""Where only their number is told."""


def statements(learns: Learns, *, strict: bool) -> dict[str, str]:
    """What everybody who has a part in a discovery learns, and what coalitions could, by whom.

    Args:
        learns: who learns what is found.
        strict: whether it is counted by tables.
    """
    told = {Learns.ALL: OF_ALL, Learns.COLLECTIVE: OF_COLLECTIVE}.get(learns, {})
    return {**(tables.LEAKS if strict else tags.LEAKS), **told}


def leaks(of: Round) -> list[str]:
    """The statements on one discovery, in sentences, and what it costs that one member has two parts."""
    overlap = of.parts.overlap
    return [*statements(of.learns, strict=bool(of.largest)).values(), *([overlap] if overlap else [])]
