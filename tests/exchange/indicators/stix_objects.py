"""Objects of STIX for tests, and what a reader makes of them."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from exchange.indicators import Batch, read
from exchange.indicators.context import Context
from exchange.indicators.readers.stix import candidates_of
from exchange.indicators.readers.stix_knowledge import Knowledge

GREEN = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"
AMBER = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"
RED = "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"
CLEAR_2 = "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"
STRICT_2 = "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"
T = "2026-01-02T03:04:05.678Z"
AT = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
MD5, SHA1 = "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef01234567"
Thing = dict[str, object]


def id_of(kind: str, nth: str = "") -> str:
    return f"{kind}--{uuid5(NAMESPACE_URL, nth)}"


def thing(kind: str, nth: str = "", /, **more: object) -> Thing:
    return {"type": kind, "spec_version": "2.1", "id": id_of(kind, nth), "created": T, "modified": T} | more


def indicator(pattern: object = "[domain-name:value='evil.com']", **more: object) -> Thing:
    return thing("indicator", pattern=pattern, pattern_type="stix", valid_from=T) | more


def link(source: str, kind: str, target: str, **more: object) -> Thing:
    nth = source + kind + target
    return thing("relationship", nth, relationship_type=kind, source_ref=source, target_ref=target) | more


def bundle(*things: object) -> Thing:
    return {"type": "bundle", "id": id_of("bundle"), "objects": list(things)}


class Read:
    """What a batch holds, as tests compare it."""

    def __init__(self, batches: list[Batch]) -> None:
        self.values: dict[str, list[str]] = {}
        self.contexts: list[Context | None] = []
        self.refused, self.notes, self.places = Counter[str](), Counter[str](), dict[str, list[str]]()
        self.withdrawn: dict[str, list[str]] = {}
        for batch in batches:
            for kind, column in batch.values.items():
                self.values.setdefault(kind.value, []).extend(column)
                self.contexts += [batch.contexts.get(kind, {}).get(i) for i in range(len(column))]
            self.refused += batch.refused
            self.notes += batch.notes
            for why, places in batch.places.items():
                self.places.setdefault(why, []).extend(places)
            for kind, column in batch.withdrawn.items():
                self.withdrawn.setdefault(kind.value, []).extend(column)


def load(folder: Path, content: object, **how: str) -> Read:
    """What a file gives that holds these bytes, or something as JSON."""
    path = folder / "feed.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return Read(list(read(path, **how)))


def of(*things: object) -> Read:
    """What objects give that come from no file."""
    notes = Counter[str]()
    knowledge = Knowledge(lambda event: notes.update([event]))
    for one in things:
        knowledge.learn(one)
    batch = Batch.of(candidates_of(things, knowledge))
    batch.notes = notes
    return Read([batch])


def context_of(*things: object) -> Context | None:
    found = of(*things).contexts
    assert len(found) == 1
    return found[0]


def definition(**more: object) -> Thing:
    return thing("marking-definition", **more)
