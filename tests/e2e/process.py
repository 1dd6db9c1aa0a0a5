"""``cosight`` as processes of their own, each forked from one that has read the program already.

A test has dozens of them. They are what an operator starts in every way but one: to start Python and to load
``cosight`` takes a second, many times what most commands do. ``tests/cli/test_output.py`` starts it in full.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self, TextIO

from exchange.cli import ALSO, MODULES, main

Program = Callable[[Sequence[str]], None]
forking = multiprocessing.get_context("forkserver")
forking.set_forkserver_preload(
    [
        *(
            f"exchange.cli.{name}"
            for name in {*MODULES.values(), *(n for names in ALSO.values() for n in names)}
        ),
        "pydantic.type_adapter",  # what typer loads with the first option
    ]
)


class Process:
    """A running command, to be used as a ``subprocess.Popen`` whose streams are text and all pipes.

    Args:
        arguments: the command line.
        log: gets its standard error in place of a pipe.
        program: what runs in it.
    """

    def __init__(self, *arguments: str, log: Path | None = None, program: Program = main) -> None:
        (stdin, given), (out, stdout), (err, stderr) = (forking.Pipe(duplex=False) for _ in range(3))
        streams = (stdin, stdout, stderr)
        inherited = (dict(os.environ), Path.cwd(), signal.getsignal(signal.SIGINT) is signal.SIG_IGN)
        self._process = forking.Process(
            target=_run, args=(program, arguments, inherited, streams, log), daemon=True
        )
        self._process.start()
        for stream in streams:
            stream.close()
        self.stdin, self.stdout, self.stderr = _text(given, "w"), _text(out, "r"), _text(err, "r")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """It is gone when the context ends."""
        self.kill()
        self.wait()
        for stream in (self.stdin, self.stdout, self.stderr):
            stream.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended, negative for a signal; None as long as it runs."""
        return self._process.exitcode

    def wait(self, timeout_s: float = 60) -> int:
        """Wait for its end, and return how it ended."""
        self._process.join(timeout_s)
        if self.returncode is None:
            self.kill()
            raise TimeoutError(f"it ran for {timeout_s} seconds more")
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """``kill -9``, as a power failure would."""
        self._process.kill()

    def communicate(self, given: str = "", timeout_s: float = 240) -> tuple[str, str]:
        """Hand it its standard input, and return its output and errors once it has ended."""
        with ThreadPoolExecutor(2) as readers:
            outputs = [readers.submit(stream.read) for stream in (self.stdout, self.stderr)]
            with suppress(BrokenPipeError):  # it may end without having read
                self.stdin.write(given)
                self.stdin.close()
            self.wait(timeout_s)
            out, err = (output.result() for output in outputs)
        return out, err


def _text(end: Connection, mode: str) -> TextIO:
    """The stream of one end of a pipe."""
    with end:
        return open(os.dup(end.fileno()), mode, encoding="utf-8")  # noqa: PTH123


def _run(
    program: Program,
    arguments: Sequence[str],
    inherited: tuple[Mapping[str, str], Path, bool],
    streams: Sequence[Connection],
    log: Path | None,
) -> None:
    """What the process does: become what a shell would have started, and run."""
    environment, folder, uninterrupted = inherited
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.SIG_IGN if uninterrupted else signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):  # wherever the tests run, under nohup too
        signal.signal(number, signal.SIG_DFL)
    for number, stream in enumerate(streams):
        os.dup2(stream.fileno(), number)
        stream.close()
    if log is not None:
        with log.open("a") as file:
            os.dup2(file.fileno(), sys.stderr.fileno())
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
    sys.argv = ["cosight", *arguments]
    program(arguments)
