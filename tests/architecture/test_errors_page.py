"""``docs/errors.md`` lists the codes that the code has, all of them and no others."""

import ast
import re
from collections.abc import Iterator

from exchange.indicators import REASONS
from exchange.policy import RULES
from exchange.rpc.status import HINTS, STATUS, WHY
from tests.architecture.tree import ROOT, files, name, syntax

ROW = re.compile(r"^\| `([a-z0-9-]+)` \| (.+?) \|(?: (.+?) \|)?$", re.MULTILINE)


def documented(of_import: bool) -> dict[str, tuple[str, ...]]:
    """The rows of the page: those of errors, or those of what ``import`` leaves out."""
    errors, reasons = (ROOT / "docs/errors.md").read_text().split("\n## Values that `import` leaves out\n")
    rows = ROW.findall(reasons if of_import else errors)
    assert len(rows) == len({code for code, *_ in rows}), "no code is explained twice"
    return {code: tuple(cells) for code, *cells in rows}


def exchange() -> Iterator[ast.AST]:
    for path in files(".py"):
        if name(path).startswith("exchange/"):
            yield from ast.walk(syntax(path))


def raised() -> set[str]:
    """Every code that is written in the exchange: given to an error, the default of one, or in the table."""
    codes = set(STATUS)
    for node in exchange():
        if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
            codes.add(node.value.value)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(t, ast.Name) and t.id == "default_code" for t in targets):
                codes.add(node.value.value)
    return codes


def test_every_code_is_explained_and_nothing_else_is() -> None:
    page = documented(of_import=False)
    assert raised() == set(page)
    assert all(all(cells) and len(cells) == 2 for cells in page.values()), "what happened, and what to do"


def test_every_reason_of_import_is_explained_and_nothing_else_is() -> None:
    assert set(REASONS) == set(documented(of_import=True))


def test_whoever_counts_or_finds_together_is_told_what_to_do() -> None:
    """A refusal of the policy names its rule, whose remedy stands in the text."""
    rooms = ("exchange/together/", "exchange/aggregation/", "exchange/discovery/", "exchange/counting/")
    bare = [
        ast.unparse(node)
        for path in files(".py")
        if name(path).startswith((*rooms, "exchange/cli/aggregate", "exchange/cli/discover"))
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        and node.func.id in {"InputError", "PolicyRefusal", "PeerRefused", "PeerUnavailable"}
        and not {"hint", "rule"} & {keyword.arg for keyword in node.keywords}
    ]  # fmt: skip
    assert bare == []


def test_codes_are_kebab_case() -> None:
    assert all(re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", code) for code in raised() | set(REASONS))


def test_the_table_of_statuses_is_whole() -> None:
    assert set(WHY) == set(STATUS)
    assert set(HINTS) == set(STATUS)


def test_every_rule_of_the_policy_has_its_line() -> None:
    page = (ROOT / "docs/policy.md").read_text()
    assert [rule.id for rule in RULES if f"`{rule.id}`" not in page] == []
