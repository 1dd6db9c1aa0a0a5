"""What sessions told us, by identifiers of our indicators: one small file each, until somebody drops it.

Who dials reads a result from the command that dialled. What a peer's session told us would be seen by nobody
without this.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from crypto.psi import Band, Noisy
from exchange.agreement import Rung
from exchange.config import Home, make_folder, write_atomic
from exchange.disclosure import Estimated, Found, Learned
from exchange.errors import InputError, StoreError
from exchange.indicators import IndicatorType
from exchange.indicators.context import Context

_SESSION = re.compile(r"[0-9a-f]{64}")


def encode(learned: Learned) -> bytes:
    """A result as its file holds it."""
    found = learned.found
    said = None if found.contexts is None else [c and c.to_json() for c in found.contexts]
    told = {
        "count": found.count,
        "ids": None if found.ids is None else found.ids.tolist(),
        "canaries": found.canaries,
        "total": found.total,
        "band": None if found.band is None else asdict(found.band),
        "noisy": None if found.noisy is None else asdict(found.noisy),
        "estimate": None if found.estimate is None else asdict(found.estimate),
        "contexts": said,
    }
    head = {f.name: getattr(learned, f.name) for f in fields(learned) if f.name != "found"}
    return json.dumps(head | {"found": told}, ensure_ascii=False).encode()


def decode(data: bytes) -> Learned:
    """The inverse of ``encode``.

    Raises:
        ValueError: it is anything else.
    """
    try:
        head = json.loads(data)
        found = _found(head.pop("found"))
        typed = {"types": tuple(map(IndicatorType, head["types"])), "rung": Rung(head["rung"])}
        return Learned(**head | typed, found=found)
    except (KeyError, TypeError, AttributeError) as e:
        raise ValueError("this is no result") from e


def _found(told: dict[str, Any]) -> Found:
    ids, said, estimate = told["ids"], told["contexts"], told["estimate"]
    if estimate is not None:
        estimate = Estimated(
            **estimate
            | {name: tuple(estimate[name]) for name in ("jaccard", "shared", "of_ours", "of_peers")}
        )
    return Found(
        count=told["count"],
        ids=None if ids is None else np.array(ids, np.int64),
        canaries=told["canaries"],
        total=told["total"],
        band=None if told["band"] is None else Band(**told["band"]),
        noisy=None if told["noisy"] is None else Noisy(**told["noisy"]),
        estimate=estimate,
        contexts=None if said is None else [None if one is None else Context.from_json(one) for one in said],
    )


@dataclass(frozen=True, slots=True)
class Results:
    """Those of one home.

    Args:
        home: the node's home.
    """

    home: Home

    @property
    def _folder(self) -> Path:
        return self.home.path / "results"

    def keep(self, learned: Learned) -> None:
        """Keep one, for the operator alone to read.

        Raises:
            ConfigError: the disk is full.
        """
        make_folder(self._folder)
        write_atomic(self._folder / learned.session, encode(learned))

    def all(self) -> Iterator[Learned]:
        """Each of them, in no order; what is damaged is an error only to whoever asks for it by name.

        Raises:
            StoreError: the folder cannot be read.
        """
        for name in self._names():
            try:
                yield decode((self._folder / name).read_bytes())
            except (ValueError, FileNotFoundError):
                continue
            except OSError as e:
                raise StoreError(f"cannot read {self._folder / name}: {e.strerror}") from e

    def find(self, beginning: str) -> Learned:
        """What the one session told us whose id begins so.

        Raises:
            InputError: there is none, or more than one.
            StoreError: its file is damaged, or cannot be read.
        """
        file = self._folder / self._named(beginning)
        try:
            return decode(file.read_bytes())
        except ValueError:
            raise StoreError(f"{file} is damaged", hint="drop it: cosight results --drop") from None
        except OSError as e:
            raise StoreError(f"cannot read {file}: {e.strerror}") from e

    def drop(self, beginning: str) -> str:
        """Delete what the one session told us whose id begins so; returns the id.

        Raises:
            InputError: there is none, or more than one.
            StoreError: it cannot be deleted.
        """
        name = self._named(beginning)
        try:
            (self._folder / name).unlink()
        except OSError as e:
            raise StoreError(f"cannot delete {self._folder / name}: {e.strerror}") from e
        return name

    def _named(self, beginning: str) -> str:
        names = [name for name in self._names() if name.startswith(beginning)]
        if len(names) == 1:
            return names[0]
        how_many = "more than one result has" if names else "no result has"
        raise InputError(f"{how_many} an id that begins with {beginning!r}", hint="see: cosight results")

    def _names(self) -> list[str]:
        try:
            files = list(self._folder.iterdir()) if self._folder.is_dir() else []
        except OSError as e:
            raise StoreError(f"cannot read {self._folder}: {e.strerror}") from e
        return [file.name for file in files if _SESSION.fullmatch(file.name)]
