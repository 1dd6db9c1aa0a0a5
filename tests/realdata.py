"""Where the large public feeds are, too big for the repository. Tests that ask are marked ``realdata``."""

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).parents[2] / "shared" / "data"


def data_dir() -> Path:
    """The folder of the feeds, or a skip that says how to get it."""
    folder = Path(os.environ.get("COSIGHT_DATA") or BESIDE)
    if not (folder / "overlaps.json").is_file():
        pytest.skip(f"no public feeds in {folder}: set COSIGHT_DATA to the folder that holds overlaps.json")
    return folder
