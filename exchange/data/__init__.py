"""Sample feeds of three producers for ``cosight demo``: a folder each, with its README and its licence."""

from importlib.resources import files
from pathlib import Path


def samples() -> dict[str, Path]:
    """The bundled feed of each producer, by its short name."""
    folders = (Path(str(entry)) for entry in files(__name__).iterdir() if entry.is_dir())
    feeds = {folder.name: folder / "indicators.tsv.gz" for folder in folders}
    return {name: feed for name, feed in sorted(feeds.items()) if feed.is_file()}
