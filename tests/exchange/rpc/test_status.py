"""The table of codes: complete, documented, and the only thing that crosses either way."""

import ast
from pathlib import Path

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata

from exchange.errors import (
    CosightError,
    NotAuthorised,
    PeerError,
    PeerRefused,
    PeerUnavailable,
    SessionRefused,
)
from exchange.rpc.status import HINTS, STATUS, WHY, outward, raise_for

ROOT = Path(__file__).parents[3]


def raised(*names: str) -> set[str]:
    """Every code that the source gives to errors of these types, and their own default."""
    codes = {SessionRefused.default_code, NotAuthorised.default_code}
    for path in (ROOT / "exchange").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                codes |= {
                    k.value.value
                    for k in node.keywords
                    if k.arg == "code" and isinstance(k.value, ast.Constant)
                }
    return codes


def failure(status: grpc.StatusCode, details: str | None) -> AioRpcError:
    return AioRpcError(status, Metadata(), Metadata(), details)


def test_every_refusal_has_a_status_a_reason_and_a_hint():
    assert raised("SessionRefused", "NotAuthorised") <= STATUS.keys()
    assert WHY.keys() == STATUS.keys() == HINTS.keys()
    assert grpc.StatusCode.OK not in STATUS.values()


def test_every_code_is_documented():
    documented = (ROOT / "docs" / "errors.md").read_text()
    assert [code for code in STATUS if f"`{code}`" not in documented] == []


@pytest.mark.parametrize("code", STATUS)
def test_a_refusal_goes_out_and_comes_in_as_what_it_is(code):
    assert outward(SessionRefused("text", code=code)) == code
    with pytest.raises(PeerRefused) as error:
        raise_for(failure(STATUS[code], code), "bob")
    assert error.value.code == code
    assert str(error.value).startswith("bob refused: ")


@pytest.mark.parametrize(
    "error",
    [
        PeerError("x", code="not-on-roster"),
        PeerUnavailable("x", code="peer-stalled"),
        CosightError("x", code="busy"),
        SessionRefused("x", code="a-new-code"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_all_else_looks_like_any_other_abort(error):
    assert outward(error) == "aborted"


@pytest.mark.parametrize(
    ("status", "details", "code"),
    [
        (grpc.StatusCode.ABORTED, "busy", "peer-unavailable"),
        (grpc.StatusCode.PERMISSION_DENIED, "\x1b[2J", "peer-unavailable"),
        (grpc.StatusCode.UNAVAILABLE, None, "peer-unavailable"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "aborted", "peer-stalled"),
        (grpc.StatusCode.OK, "", "peer-closed"),
    ],
)
def test_what_is_not_in_the_table_is_not_repeated(status, details, code):
    with pytest.raises(PeerUnavailable) as error:
        raise_for(failure(status, details), "bob")
    assert error.value.code == code
    assert str(error.value).isprintable()
