"""Events of MISP to read, and the reading of them in one batch."""

import gzip
import json
from pathlib import Path
from typing import Any

from exchange.indicators import Batch, read

MD5 = "5d41402abc4b2a76b9719d911017c592"
SHA1 = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"
SHA256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
IDS = ["1b0e1c0e-0000-4000-8000-00000000000" + digit for digit in "123"]


def attribute(kind: str, value: object, **more: Any) -> dict[str, Any]:
    return {"type": kind, "category": "Network activity", "to_ids": True, "value": value} | more


def tags(*names: str) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


def event(*attributes: object, **more: Any) -> dict[str, Any]:
    return {"Event": {"info": "a report", "Attribute": list(attributes), "Orgc": {"name": "Example"}} | more}


EVENT = event(attribute("domain", "evil.com"))


def write(folder: Path, document: object, name: str = "event.json") -> Path:
    path = folder / name
    text = document if isinstance(document, str) else json.dumps(document)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def whole(path: Path, **how: Any) -> Batch:
    (batch,) = read(path, **how)
    return batch
