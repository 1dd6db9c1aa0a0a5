"""What a measurement must say about where it was taken."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from crypto import group

HERE = Path(__file__).parent


def facts() -> dict[str, Any]:
    """Processor, cores, arithmetic in use, versions, commit and load of this machine, as JSON takes them."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "rayon_threads": os.environ.get("RAYON_NUM_THREADS", "all"),
        "backend": group.backend(),
        "load_1min": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "rustc": _output("rustc", "--version"),
        "commit": _output("git", "describe", "--always", "--dirty"),
    }


def describe(found: dict[str, Any]) -> str:
    """The facts in two lines for people."""
    return (
        f"{found['cpu']}, {found['cores']} cores, {found['backend']} backend, load {found['load_1min']}\n"
        f"Python {found['python']}, NumPy {found['numpy']}, {found['rustc']}, commit {found['commit']}"
    )


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _output(*command: str) -> str:
    """One line of a command's output, or ``unknown`` where it is not there."""
    try:
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()
