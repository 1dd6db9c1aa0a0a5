"""A headless Chromium, where there is one."""

import shutil
import subprocess
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FOUND = next((path for name in NAMES if (path := shutil.which(name))), None)
needed = pytest.mark.skipif(FOUND is None, reason=f"no page is opened: none of {', '.join(NAMES)} is here")


def run(page: Path, *options: str) -> str:
    """Open a page; returns what Chromium prints."""
    assert FOUND is not None
    command = [
        FOUND, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--hide-scrollbars", f"--user-data-dir={page.parent / 'profile'}", *options, page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def dom(page: Path) -> str:
    """The page as the browser understood it."""
    return run(page, "--dump-dom")


def picture(page: Path, width: int = 1200, height: int = 2400, *options: str) -> Path:
    """The page as it looks."""
    file = page.with_suffix(".png")
    run(page, f"--screenshot={file}", f"--window-size={width},{height}", *options)
    return file
