"""What benchmarks share: rows, sizes on the command line, whole runs in one process, measuring in a child."""

import argparse
import json
import os
import re
import resource
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from crypto import session
from crypto.psi import Params, Protocol
from crypto.psi.base import ITEM_BYTES
from crypto.rows import Rows
from crypto.session import Message, Role


def size(text: str) -> int:
    """A number, or a power such as ``2^20``.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    parts = re.fullmatch(r"(?:(\d+)\^)?(\d+)", text)
    if parts is None:
        raise argparse.ArgumentTypeError("a size is a number, or a power such as 2^20")
    return int(parts[1]) ** int(parts[2]) if parts[1] else int(parts[2])


def sizes(text: str) -> list[int]:
    """Sizes with commas between them.

    Raises:
        argparse.ArgumentTypeError: one is none.
    """
    return [size(one) for one in text.split(",")]


def random_rows(n: int) -> Rows:
    """``(n, 32)`` random bytes."""
    return np.frombuffer(secrets.token_bytes(ITEM_BYTES * n), np.uint8).reshape(n, ITEM_BYTES)


def timed(call: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def peak_mib() -> float:
    """The most that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def whole_run(
    protocol: Protocol, params: Params, receiver: Role[Any], sender: Role[Any]
) -> tuple[Any, dict[str, float]]:
    """Both roles in this process: the receiver's result, and ``wall_s``, ``cpu_s`` and ``bytes`` of the run.

    The bytes of the messages are counted, and are those of the protocol's formula.
    """
    sent = 0

    def weigh(message: Message) -> Message:
        nonlocal sent
        sent += sum(memoryview(getattr(message, field)).nbytes for field in message.sizes())
        return message

    start, start_cpu = time.perf_counter(), time.process_time()
    result, _ = session.run(receiver, sender, on_message=weigh)
    wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    assert sent == sum(protocol.traffic(params))
    return result, {"wall_s": wall, "cpu_s": cpu, "bytes": sent}


def in_child(module: str, *arguments: str, **environment: str) -> dict[str, Any]:
    """What ``python -m MODULE --child`` prints, a JSON object, measured in a process of its own."""
    command = [sys.executable, "-m", module, "--child", *arguments]
    done = subprocess.run(command, env=os.environ | environment, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def on_one_core(module: str, kernel: str) -> dict[str, Any]:
    """The same with one thread, on this path of the kernel; an empty one is the machine's."""
    return in_child(module, RAYON_NUM_THREADS="1", COSIGHT_KERNEL=kernel)
