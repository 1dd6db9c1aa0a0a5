"""What the documents say exists: links, commands, options, make targets, JSON keys."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from exchange.cli import complete
from tests.architecture.tree import ROOT, files, name

PAGES = [*files(".md")]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
JSON_KEYS = {
    "import": {"read", "accepted", "duplicates", "refused", "by_type"},
    "match": {"session", "reveal", "protocol", "types", "sizes", "result", "seconds", "bytes"},
    "psi": {"protocol", "transport", "n_r", "n_s", "intersection", "seconds", "bytes", "peak_rss_mib"},
    "demo": {"members", "matches", "ledger_verified"},
    "ledger verify": {"ok", "leaves", "sessions", "problems"},
}


def anchors(page: Path) -> set[str]:
    """The fragments that a page's headings give, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in LINK.findall(page.read_text()):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, fragment = target.partition("#")
        to = (page.parent / path).resolve() if path else page
        if not to.exists() or (fragment and fragment not in anchors(to)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", [p for p in PAGES if name(p).startswith("docs/")], ids=name)
def test_every_page_is_reached_from_the_readme(page: Path) -> None:
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        at = todo.pop()
        if at in reached or at.suffix != ".md" or not at.is_file():
            continue
        reached.add(at)
        todo += [
            (at.parent / link.partition("#")[0]).resolve()
            for link in LINK.findall(at.read_text())
            if ":" not in link
        ]
    assert page in reached


@cache
def commands() -> dict[tuple[str, ...], set[str]]:
    """Every command of the application, by its words, with its options."""
    found: dict[tuple[str, ...], set[str]] = {}

    def walk(command: Any, words: tuple[str, ...]) -> None:
        found[words] = {o for parameter in command.params for o in getattr(parameter, "opts", [])} | {
            "-h", "--help",
        }  # fmt: skip
        for sub, inner in getattr(command, "commands", {}).items():
            walk(inner, (*words, sub))

    walk(typer.main.get_command(complete()), ())
    return found


def mentions() -> Iterator[tuple[str, str]]:
    """Every command line that a page shows: after ``cosight`` up to the end of it."""
    for page in PAGES:
        text = page.read_text()
        lines = [line for block in FENCE.findall(text) for line in block.splitlines()]
        lines += [code for code in INLINE.findall(FENCE.sub("", text)) if code.startswith("cosight ")]
        for line in lines:
            for part in re.split(r"&&|\|\||\||;|->|  +|#", line):
                if match := re.match(r"^(?:\$ |.*/bin/)?(?:\w+=\S+ )*cosight (?=[a-z-])(.*)", part.strip()):
                    yield name(page), match[1].removesuffix("&").strip()


SHOWN = sorted(set(mentions()))


def test_the_documents_show_commands() -> None:
    assert {page for page, _ in SHOWN} >= {"README.md", "docs/operations.md", "docs/tutorial.md"}


@pytest.mark.parametrize(("page", "line"), SHOWN, ids=lambda text: text)
def test_commands_and_options_that_are_shown_exist(page: str, line: str) -> None:
    words = shlex.split(line.replace("[", "").replace("]", ""))
    options = [w.partition("=")[0] for w in words if w.startswith("-") and w != "-"]
    plain = [w for w in words if not w.startswith("-")]
    command = max((known for known in commands() if tuple(plain[: len(known)]) == known), key=len, default=())
    if not command:
        assert all(word.startswith("-") or word.isupper() for word in words), f"{page}: no such command"
    group = any(known[: len(command)] == command and len(known) > len(command) for known in commands())
    if group and command and plain[len(command) :]:
        alternatives = plain[len(command)].split("|")
        assert all((*command, a) in commands() for a in alternatives), f"{page}: no such command"
    assert [o for o in options if o not in commands()[command]] == [], f"{page}: no such option"


def test_every_command_is_shown_in_some_document() -> None:
    shown = {line for _, line in SHOWN}
    missing = [
        " ".join(words)
        for words in commands()
        if words and words not in {("alliance",), ("ledger",)}
        and not any(line == " ".join(words) or line.startswith(" ".join(words) + " ") for line in shown)
    ]  # fmt: skip
    assert missing == []


def test_every_command_takes_json_and_explains_itself() -> None:
    leaves = {
        words: options
        for words, options in commands().items()
        if not any(other[: len(words)] == words and len(other) > len(words) for other in commands())
    }
    assert [words for words, options in leaves.items() if "--json" not in options] == []


def test_make_targets_that_are_shown_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = {
        (name(page), target)
        for page in PAGES
        for code in [*FENCE.findall(page.read_text()), *INLINE.findall(page.read_text())]
        for target in re.findall(r"(?:^|\$ )make ([a-z-]+)", code, re.MULTILINE)
    }
    assert {"demo", "test", "check"} <= {target for _, target in shown}
    assert {(page, target) for page, target in shown if target not in targets} == set()


def test_the_json_that_stays_is_documented() -> None:
    page = (ROOT / "docs/commands.md").read_text()
    for command, keys in JSON_KEYS.items():
        section = page.split(f"\n## `{command}`\n")[1].split("\n## ")[0]
        assert [key for key in keys if f"`{key}`" not in section] == [], command
