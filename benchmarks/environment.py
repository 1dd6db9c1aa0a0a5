"""Environments of their own for what is measured beside us: such packages pin other versions than we do."""

import subprocess
import sys
import venv
from pathlib import Path

OUT = Path(__file__).parent / "out"


def interpreter(name: str, *pinned: str) -> Path:
    """The interpreter of the environment with these packages, made on first use."""
    home = OUT / name
    python = home / "bin" / "python"
    if not (home / ".done").exists():
        print(f"making an environment for {', '.join(pinned)} ...", file=sys.stderr)
        venv.create(home, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", *pinned]
        subprocess.run(
            install, check=True, stderr=subprocess.PIPE, text=True
        )  # why not is for the caller to say
        (home / ".done").touch()
    return python
