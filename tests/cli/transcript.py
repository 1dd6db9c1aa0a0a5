"""Transcripts in the documents are real: each is run again and compared.

``python -m tests.cli.transcript PAGE...`` writes into a page what its commands print now.

A transcript is a ```console block. ``acme$ COMMAND`` runs with ``COSIGHT_HOME=acme``, ``$ COMMAND`` without.
A line that begins with ``> `` continues it; ``COMMAND &`` runs beside the others until the page ends.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.e2e.nodes import free_port

BLOCK = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
PROMPT = re.compile(r"([a-z0-9-]*)\$ (.*)")
PORT = "7443"
CHANGING = (
    (re.compile(r"(?:[0-9a-f]{4} ){7}[0-9a-f]{4}"), "FINGERPRINT"),
    (re.compile(r"session [0-9a-f]{16}"), "session SESSION"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "HASH"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d"), "TIME"),
    (re.compile(r"\d\d? [A-Z][a-z]+ \d{4}, \d\d:\d\d:\d\d"), "TIME"),
    (re.compile(r"\b\d+\.\d+ s\b"), "SECONDS"),
    (re.compile(r" +\d+\.\d\d(?= )"), " SECONDS"),
    (re.compile(r"cosight \d+\.\d+\.\d+"), "VERSION"),
)
"""What differs from run to run, and the word that stands for it when two runs are compared."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a transcript and what it printed, as written down."""

    who: str
    command: str
    printed: str


def steps(block: str) -> Iterator[Step]:
    """The commands of one block."""
    who, command, printed = "", "", ""
    for line in block.splitlines(keepends=True):
        if prompt := PROMPT.fullmatch(line.rstrip("\n")):
            if command:
                yield Step(who, command, printed)
            who, command, printed = prompt[1], prompt[2], ""
        elif line.startswith("> ") and not printed:
            command += "\n" + line[2:].rstrip("\n")
        else:
            printed += line
    if command:
        yield Step(who, command, printed)


def lasting(text: str) -> str:
    """What a text has in common with that of another run."""
    for pattern, word in CHANGING:
        text = pattern.sub(word, text)
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines())


class Stage:
    """A folder in which the commands of one page run, one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = str(free_port())
        self._behind = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._behind.close()

    def run(self, step: Step) -> str:
        """What a command prints on a terminal of 80 columns, both streams as one."""
        beside = step.command.endswith(" &")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        process = subprocess.Popen(
            ["bash", "-c", "exec " * beside + step.command.removesuffix(" &").replace(PORT, self._port)],
            cwd=self._folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=os.environ | {
                "PATH": path, "COLUMNS": "80", "PYTHONUNBUFFERED": "1", "COSIGHT_HOME": step.who or "none",
            },
        )  # fmt: skip
        assert process.stdout is not None
        if beside:
            self._behind.callback(self._stop, process)
            printed = process.stdout.readline()
        else:
            printed, _ = process.communicate(timeout=240)
        return printed.replace(self._port, PORT)

    @staticmethod
    def _stop(process: subprocess.Popen[str]) -> None:
        process.terminate()
        process.communicate(timeout=60)


def renew(page: Path) -> None:
    """Run a page's transcripts and write down what they print."""
    with tempfile.TemporaryDirectory() as folder, Stage(Path(folder)) as stage:

        def run(block: re.Match[str]) -> str:
            shown = ""
            for step in steps(block[0]):
                first, *more = step.command.split("\n")
                shown += f"{step.who}$ {first}\n" + "".join(f"> {line}\n" for line in more)
                shown += "".join(f"{line.rstrip()}\n" for line in stage.run(step).rstrip().splitlines())
            return shown

        page.write_text(BLOCK.sub(run, page.read_text()))


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        renew(Path(argument))
