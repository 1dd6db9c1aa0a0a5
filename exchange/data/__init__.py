"""Sample feeds for ``cosight demo``: a folder for each producer, with its licence and where it is from."""

from importlib.resources import files
from pathlib import Path


def samples() -> dict[str, Path]:
    """The bundled feed of each producer, by its short name."""
    folders = (Path(str(entry)) for entry in files(__name__).iterdir() if entry.is_dir())
    feeds = {folder.name: folder / "indicators.tsv.gz" for folder in folders}
    return {name: feed for name, feed in sorted(feeds.items()) if feed.is_file()}


def alliance_samples() -> dict[str, Path]:
    """Addresses of five producers that overlap, by the producer's short name."""
    folders = (entry for entry in (Path(str(files(__name__))) / "alliance").iterdir() if entry.is_dir())
    return {folder.name: folder / "addresses.txt" for folder in sorted(folders)}
