"""Discoveries of real node processes: all of an alliance ask at the same time, as their operators would."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import func, select

from exchange.config import Home
from exchange.store.discovery.tables import DEPOSITS
from exchange.store.engine import open_engine, reading
from tests.e2e.nodes import Served, serve
from tests.e2e.process import Process


@contextmanager
def serving(homes: Sequence[Home]) -> Iterator[dict[str, Served]]:
    """All of them serve."""
    with ExitStack() as stack:
        yield {home.member: stack.enter_context(serve(home)) for home in homes}


def discovering(home: Home, *arguments: str) -> Process:
    """``cosight discover`` beside the test."""
    return Process("discover", *arguments, "--home", str(home.path), "--json")


def said(process: Process, timeout_s: float = 240) -> dict[str, Any]:
    """What it prints, once it has ended."""
    out, err = process.communicate(timeout_s=timeout_s)
    assert out, err
    result: dict[str, Any] = json.loads(out)
    return result | {"code": process.returncode}


def discover(homes: Sequence[Home], *arguments: str, timeout_s: float = 240) -> dict[str, dict[str, Any]]:
    """All of them ask the same at once; what each prints, by member."""
    with ExitStack() as stack:
        running = {h.member: stack.enter_context(discovering(h, *arguments)) for h in homes}
        return {member: said(process, timeout_s) for member, process in running.items()}


def held_by(held: Mapping[str, Sequence[str]], threshold: int) -> set[str]:
    """The oracle: what so many hold, by counting."""
    counts = Counter(value for values in held.values() for value in set(values))
    return {value for value, count in counts.items() if count >= threshold}


def values(result: Mapping[str, Any]) -> set[str]:
    return {item["value"] for item in result["result"]["items"]}


def brought(home: Home) -> int:
    """How many batches stand in what this home relays."""
    path = home.path / "discoveries.db"
    if not path.exists():
        return 0
    engine = open_engine(f"sqlite:///{path}", durable=False, read_only=True)
    with reading(engine) as connection:
        return connection.scalar(select(func.count()).select_from(DEPOSITS)) or 0
