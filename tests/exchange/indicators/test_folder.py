"""From the paths of a command to the files behind them."""

import gzip
import json
import os
from pathlib import Path

import pytest

from exchange.errors import InputError
from exchange.indicators import read
from exchange.indicators.readers.folder import MAX_DEPTH, Input, Skipped, expand


@pytest.fixture
def tree(tmp_path):
    def tree(*names: str, **contents: str) -> Path:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(contents.get(path.name.split(".")[0], f"8.8.8.{len(name)}\n"))
        return tmp_path

    return tree


def inputs(*paths: Path) -> dict[str, str]:
    return {one.feed: one.path.name for one in expand(paths) if isinstance(one, Input)}


def skipped(*paths: Path) -> dict[str, str]:
    return {one.path.name: one.why for one in expand(paths) if isinstance(one, Skipped)}


def test_files_come_as_they_are_given(tree) -> None:
    root = tree("b.txt", "a.csv", "README.md", ".hidden")
    given = [root / "b.txt", root / "README.md", root / ".hidden", root / "none", Path("-")]
    assert list(expand(given)) == [
        *(Input(root / name, name) for name in ("b.txt", "README.md", ".hidden", "none")),
        Input(Path("-"), "-"),
    ]


def test_a_folder_comes_in_order_with_paths_below_it(tree) -> None:
    root = tree("b.txt", "a.csv", "sub/deep/c.json.gz", "sub/a.csv", "security-feed.json", "readme-list.txt")
    assert list(inputs(root)) == [
        "a.csv", "b.txt", "readme-list.txt", "security-feed.json", "sub/a.csv", "sub/deep/c.json.gz",
    ]  # fmt: skip


def test_what_is_no_data_is_skipped_and_named(tree) -> None:
    names = [
        "README.md",
        "LICENSE",
        "LICENSE-MIT",
        "license.txt",
        "rules.yar",
        "get.py",
        ".git/config",
        ".env",
    ]
    root = tree(*names, "feed.txt", README="# Feed\n\nThis is a feed of what we have seen ourselves.\n")
    assert list(inputs(root)) == ["feed.txt"]
    assert set(skipped(root)) == {Path(name).parts[0] for name in names}


def test_a_read_me_file_with_indicators_is_a_report(tree) -> None:
    root = tree("README.adoc", README="= Report\n\nThe backdoor talks to evil[.]com and to nobody else.\n")
    assert list(inputs(root)) == ["README.adoc"]


def test_links_do_not_lead_in_circles(tree) -> None:
    root = tree("sub/a.txt")
    (root / "sub" / "up").symlink_to(root, target_is_directory=True)
    (root / "sub" / "gone.txt").symlink_to(root / "none")
    (root / "z.txt").symlink_to(root / "sub" / "a.txt")
    os.mkfifo(root / "pipe")
    assert list(inputs(root)) == ["sub/a.txt"]
    assert skipped(root) == {
        "up": "a link to a folder above it",
        "gone.txt": "not a file, or a link to nothing",
        "pipe": "not a file, or a link to nothing",
        "z.txt": "the same file as one before",
    }


def test_depth_has_an_end(tree) -> None:
    root = tree("/".join(["d"] * (MAX_DEPTH + 3)) + "/a.txt")
    assert not inputs(root)
    assert skipped(root) == {"d": "too many folders deep"}


def test_two_files_of_one_name_are_two_feeds(tree) -> None:
    root = tree("one/a.txt", "two/a.txt", "two/b.txt")
    feeds = [one.feed for one in expand([root / "one", root / "two"]) if isinstance(one, Input)]
    assert feeds == [f"{root}/one/a.txt", f"{root}/two/a.txt", "b.txt"]
    assert list(inputs(root / "one", root / "one" / "a.txt")) == ["a.txt"], "and the same file twice is one"


EVENT = {"Event": {"info": "x", "Attribute": [{"type": "domain", "value": "evil.com", "to_ids": True}]}}
UUIDS = ["5a1f5a2e-0000-4000-8000-000000000001", "5a1f5a2e-0000-4000-8000-000000000002"]


def test_a_feed_of_misp_is_its_events(tree) -> None:
    root = tree("feed/hashes.csv", "feed/other.json", "feed/README.md", "b.txt")
    about = {
        "info": "x",
        "date": "2026-01-01",
        "threat_level_id": "1",
        "analysis": "2",
        "timestamp": "1767225600",
    }
    about |= {"Orgc": {"name": "x", "uuid": UUIDS[0]}, "Tag": []}
    (root / "feed" / "manifest.json").write_text(json.dumps(dict.fromkeys(UUIDS, about)))
    (root / "feed" / f"{UUIDS[0]}.json").write_text(json.dumps(EVENT))
    (root / "feed" / f"{UUIDS[1]}.json.gz").write_bytes(gzip.compress(json.dumps(EVENT).encode()))
    assert list(inputs(root)) == ["b.txt", f"feed/{UUIDS[0]}.json", f"feed/{UUIDS[1]}.json.gz"]
    assert list(inputs(root / "feed")) == [f"{UUIDS[0]}.json", f"{UUIDS[1]}.json.gz"]
    assert set(skipped(root)) == {"hashes.csv", "other.json", "README.md", "manifest.json"}
    (one, other) = (one for one in expand([root / "feed"]) if isinstance(one, Input))
    assert [len(batch) for path in (one.path, other.path) for batch in read(path)] == [1, 1]


@pytest.mark.parametrize("content", ["{}", "{", "[]", "8.8.8.8\n", ""])
def test_a_manifest_that_is_none_is_a_file(tree, content: str) -> None:
    root = tree("manifest.json", "a.txt")
    (root / "manifest.json").write_text(content)
    assert list(inputs(root)) == ["a.txt", "manifest.json"]


def test_a_folder_that_cannot_be_read_does_not_keep_the_rest_out(tree, monkeypatch) -> None:
    root = tree("closed/a.txt", "open/b.txt")
    iterdir = Path.iterdir

    def closed(path: Path):
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", closed)
    assert list(inputs(root)) == ["closed", "open/b.txt"]
    with pytest.raises(InputError, match="cannot be read"):
        list(read(root / "closed"))
