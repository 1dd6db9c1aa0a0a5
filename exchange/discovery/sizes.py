"""How large what is deposited can be."""

from crypto.secagg.words import least_size
from exchange.aggregation.round import HASH_BYTES, Round
from exchange.agreement import size_class
from exchange.config import Limits
from exchange.discovery.modes import mode_of
from exchange.discovery.outcome import HEAD_BYTES
from exchange.discovery.world import Stage
from exchange.indicators.types import MAX_VALUE_CHARS

WORD_BYTES = 128
"""Room of one found indicator in a deposit of words; longer ones take more."""
LINE_BYTES = MAX_VALUE_CHARS + 32
"""Of one indicator in words at most, with its type: the longest are URLs, whose canonical form is ASCII."""


def words_size(text: int, released: int) -> int:
    """What is shown of words: the same for everybody, but for those who have far more to say than usual."""
    return size_class(max(least_size(text), WORD_BYTES * released))


def largest_words(released: int) -> int:
    """The most bytes in which so many indicators can be said."""
    return words_size(LINE_BYTES * released, released)


def root_bytes(of: Round, stage: Stage) -> int:
    """How long what binds the records of a deposit is: tables and words have none."""
    return HASH_BYTES if stage is Stage.BATCHES and not of.largest else 0


def largest_deposit(of: Round, stage: Stage, max_rows: int) -> int:
    """The most bytes that a member can deposit whose set has at most so many indicators."""
    if stage is Stage.WORDS:
        return WORD_BYTES * size_class(max_rows)
    return mode_of(of).most_bytes(max_rows)


def largest_brought(of: Round, stage: Stage, limits: Limits) -> int:
    """The most bytes that all deposits of a stage have where everybody has our limits."""
    each = largest_deposit(of, stage, limits.max_rows)
    return min(limits.max_discovery_mib << 20, len(of.members) * each)


def largest_outcome(of: Round, stage: Stage, brought: int, released: int) -> int:
    """The most bytes that an honest counter can say of a stage.

    Args:
        of: the discovery.
        stage: which stage of it.
        brought: the most bytes that all deposits of the stage have together.
        released: how many indicators were released; of batches it is not known yet, and does not count.
    """
    words = stage is Stage.WORDS
    return HEAD_BYTES + (min(brought, LINE_BYTES * released) if words else mode_of(of).most_told(brought))
