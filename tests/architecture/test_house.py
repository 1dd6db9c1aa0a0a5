"""The rules of the house that no linter sees."""

import ast
import re

import pytest

from tests.architecture.tree import MADE, ROOT, files, name, syntax

LONGEST = 400
KERNEL_FACES = {f"crypto/{module}.py" for module in (
    "rows", "hashing", "group", "curve25519", "elgamal", "oprf", "okvs", "ot", "tagset", "vole", "psi/vole",
    "commitment", "filters/bloom", "filters/golomb", "filters/sorted", "secagg/ring", "secagg/shamir",
    "secagg/threshold", "secagg/discovery",
)}  # fmt: skip
LOOPBACK = {"127.0.0.1", "::1", "[::1]", "localhost", ""}
OPENS = {
    "add_insecure_port", "add_secure_port", "bind", "connect", "create_connection", "create_server",
    "insecure_channel", "open_connection", "secure_channel", "start_server",
}  # fmt: skip


def test_only_the_faces_of_the_kernel_import_it() -> None:
    importing = set()
    for path in files(".py"):
        for node in ast.walk(syntax(path)):
            if isinstance(node, ast.ImportFrom):
                modules = {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
            elif isinstance(node, ast.Import):
                modules = {alias.name for alias in node.names}
            else:
                continue
            if "crypto._native" in modules and name(path).startswith(("crypto/", "exchange/")):
                importing.add(name(path))
    assert importing == KERNEL_FACES


@pytest.mark.parametrize("path", [*files(".py", ".rs", ".pyi")], ids=name)
def test_no_file_is_too_long_to_hold_in_mind(path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST


def test_the_page_on_unsafe_code_lists_the_files_that_have_some() -> None:
    source = ROOT / "crypto/native/src"
    unsafe = {
        path.relative_to(source).as_posix()
        for path in files(".rs")
        if re.search(r"^[^/\n]*\bunsafe\b", path.read_text(), re.MULTILINE)
    }
    page = (ROOT / "docs/unsafe.md").read_text()
    assert unsafe
    assert set(re.findall(r"^\| `([\w/]+\.rs)` \|", page, re.MULTILINE)) == unsafe


def test_every_folder_of_python_is_a_package() -> None:
    folders = {path.parent for path in files(".py") if path.parent != ROOT}
    assert folders
    assert [name(f) for f in folders if not (f / "__init__.py").is_file()] == []


def test_proto_is_never_a_package() -> None:
    """It would shadow the generated code."""
    assert list((ROOT / "proto").rglob("*.py")) == []


def test_no_path_of_one_machine_is_written_down() -> None:
    """Neither a home directory nor a temporary folder: what works here alone does not work."""
    personal = re.compile(r"(?<![\w.}/-])/(?:home|root|Users|work|tmp|mnt)/\w")
    found = [
        f"{name(path)}:{number}"
        for path in files(".py", ".rs", ".md", ".toml", ".proto", "Makefile", "run", ".yaml", ".json")
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if personal.search(line)
    ]
    assert found == []


def test_tests_open_sockets_on_loopback_alone() -> None:
    seen = set()
    for path in (p for p in files(".py") if name(p).startswith(("tests/", "benchmarks/"))):
        for node in ast.walk(syntax(path)):
            if isinstance(node, ast.Call) and _called(node) in OPENS:
                seen |= {(name(path), host) for host in _hosts(node)}
            elif isinstance(node, ast.Constant) and re.fullmatch(r"0\.0\.0\.0(:\d+)?", str(node.value)):
                seen.add((name(path), str(node.value)))
    assert any(host == "127.0.0.1" for _, host in seen), "the search finds what it looks for"
    assert {(place, host) for place, host in seen if host not in LOOPBACK} == set()


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _hosts(node: ast.Call) -> set[str]:
    """The hosts that a call names in so many words."""
    texts = [
        part.value
        for argument in (*node.args, *(k.value for k in node.keywords if k.arg in {"host", "address"}))
        for part in ast.walk(argument)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]
    return {text.rpartition(":")[0] or text for text in texts if re.fullmatch(r"[\w.\[\]:-]+", text)}


def test_what_tools_make_is_not_in_the_repository() -> None:
    ignored = (ROOT / ".gitignore").read_text()
    assert all(made in ignored for made in MADE - {"v1"})


def test_the_changelog_has_room_for_what_comes_next() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    unreleased = text.index("\n## [Unreleased]\n")
    assert "\n## " not in text[:unreleased], "the unreleased changes come first"
    assert re.search(r"^- ", text[unreleased:], re.MULTILINE)


def test_no_log_has_the_words_of_an_error_that_nobody_foresaw() -> None:
    """A traceback ends with them, and they may hold what is secret: ``exchange.errors.unforeseen``."""
    found = [
        f"{name(path)}:{node.lineno}"
        for path in files(".py") if name(path).startswith("exchange/")
        for node in ast.walk(syntax(path)) if isinstance(node, ast.Call)
        if ast.unparse(node.func) == "log.exception"
        or any(keyword.arg == "exc_info" for keyword in node.keywords)
    ]  # fmt: skip
    assert found == []
