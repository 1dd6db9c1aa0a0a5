"""The folder and the result of a run, as they are at its coordinator and at its members alike."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from exchange.aggregation.tally import Tally
from exchange.config import write_atomic
from exchange.counting.world import Counted
from exchange.errors import InputError, PeerMisbehaved, StoreError
from exchange.identity import encoding

T = TypeVar("T")
CONTEXT_BYTES = 32


def is_context(name: str) -> bool:
    """Whether a folder has the name of a run: what else lies beside them is left alone."""
    return len(name) == 2 * CONTEXT_BYTES and set(name) <= set("0123456789abcdef")


def the_one(found: Sequence[T], beginning: str) -> T:
    """The only one of the runs whose names begin so.

    Raises:
        InputError: there is none, or more than one.
    """
    if len(found) == 1:
        return found[0]
    how_many = "more than one aggregation has" if found else "we know no aggregation that has"
    raise InputError(
        f"{how_many} a name that begins with {beginning!r}", hint="see: cosight aggregate list, or result"
    )


def write_counted(path: Path, counted: Counted) -> None:
    """Keep what came of a run.

    Raises:
        ConfigError: the disk is full.
    """
    told = {
        "words": counted.vector.tobytes(),
        "dtype": counted.vector.dtype.str,
        "tally": counted.tally.document.body,
        "ours": counted.ours.tobytes(),
    }
    write_atomic(path, encoding.encode(told))


def read_counted(path: Path) -> Counted | None:
    """What came of a run; None if nothing did.

    Raises:
        StoreError: the file is damaged.
    """
    try:
        content = path.read_bytes()
        told = encoding.table(
            encoding.decode(content, limit=len(content)), words=bytes, dtype=str, tally=bytes, ours=bytes
        )
        vector = np.frombuffer(told["words"], np.dtype(told["dtype"]))
        return Counted(vector, Tally.decode(told["tally"]), np.frombuffer(told["ours"], bool))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, PeerMisbehaved) as e:
        raise StoreError(f"{path} is damaged") from e
