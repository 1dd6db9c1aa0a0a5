"""Where something stands in a TOML file: its library keeps no positions."""

import tomllib
from typing import Any


def line_of(text: str, at: tuple[str, ...]) -> int:
    """The line that a key stands on, or its table begins on; 0 where neither is found.

    ``tomllib`` keeps no positions, so the line is looked for: each one is parsed for the table or key in it.
    """
    keys = tuple(key.partition("[")[0] for key in at)
    best, longest = 0, 0
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("["):
            path = table = _keys(stripped)
        else:
            path = (*table, *_keys(stripped.partition("=")[0] + "=0"))
        shared = min(len(path), len(keys))
        if shared > longest and path[:shared] == keys[:shared]:
            best, longest = number, shared
    return best


def _keys(line: str) -> tuple[str, ...]:
    """The dotted keys of a table header or an assignment; none where the line is neither."""
    try:
        node: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    keys: list[str] = []
    while isinstance(node, dict) and len(node) == 1:
        key, node = next(iter(node.items()))
        keys.append(key)
    return tuple(keys)
