"""Costs of work in this process."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time

from exchange.bench.record import Run

_STATUS = Path("/proc/self/status")
_FORGET = Path("/proc/self/clear_refs")


def forget_peak() -> None:
    """Let the peak of this process begin anew."""
    _FORGET.write_text("5")


def peak_mib() -> float:
    """The most memory that this process held since ``forget_peak``."""
    return int(re.findall(r"^VmHWM:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)[0]) / 1024


def measured(work: Callable[[], object], items: int | None = None) -> Run:
    """One run of some work, on so many items: wall, processor, peak."""
    forget_peak()
    start, cpu = perf_counter(), process_time()
    work()
    total, cpu_s = perf_counter() - start, process_time() - cpu
    return Run(
        seconds={"total": total}, cpu_s={"process": cpu_s}, peak_mib={"process": peak_mib()}, items=items
    )


class Clock:
    """Processor seconds by party and step."""

    def __init__(self) -> None:
        self.steps: dict[tuple[str, str], float] = defaultdict(float)

    @contextmanager
    def at(self, party: str, step: str) -> Iterator[None]:
        """Count what runs inside."""
        start = process_time()
        yield
        self.steps[party, step] += process_time() - start

    def of(self, party: str, share: int = 1) -> dict[str, float]:
        """One party's steps, divided by how many of them there are."""
        return {step: seconds / share for (who, step), seconds in self.steps.items() if who == party}
