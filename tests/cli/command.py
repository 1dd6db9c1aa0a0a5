"""Running the command line within the test's own process, as ``cosight`` itself runs it."""

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from exchange.cli import main


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on standard output; anything beside it is a failure."""
        assert self.out.count("\n") == 1, self.out
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    @property
    def error(self) -> dict[str, str]:
        """The error that a command with ``--json`` printed."""
        assert self.code in {1, 2}, self
        assert set(self.json["error"]) == {"code", "message", "hint"}
        assert all(isinstance(text, str) for text in self.json["error"].values())
        error: dict[str, str] = self.json["error"]
        return error


def cosight(*arguments: str | Path, home: Path | None = None, stdin: str | None = None) -> Done:
    """Run one command, with something on its standard input if need be."""
    out, err = io.StringIO(), io.StringIO()
    line = [str(a) for a in arguments] + ([] if home is None else ["--home", str(home)])
    given = sys.stdin if stdin is None else io.TextIOWrapper(io.BytesIO(stdin.encode()))
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch("sys.stdin", given),
    ):
        try:
            main(line)
        except SystemExit as e:
            code = e.code
    assert isinstance(code, int)
    return Done(code, out.getvalue(), err.getvalue())
