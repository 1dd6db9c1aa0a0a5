"""Two sides that do not come to hold the same roster: who is behind, and which command mends it."""

from typing import Any

import pytest

from exchange.errors import ConfigError
from exchange.rpc.client import PeerLink
from exchange.v1 import exchange_pb2 as pb


class Fixed:
    """A directory that takes up nothing."""

    member = "alice"

    def roster(self) -> tuple[int, bytes]:
        return 5, bytes(32)

    def newer(self, _epoch: int) -> list[bytes]:
        return [b"a roster"]

    def adopt(self, _rosters: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("theirs", "hint"),
    [(3, "bob is behind: send it the newest approval"), (7, "we are behind: ask an admin")],
)
async def test_who_is_behind(monkeypatch: pytest.MonkeyPatch, theirs: int, hint: str) -> None:
    offered: list[list[bytes]] = []

    async def answer(_method: str, request: pb.HelloRequest, _reply: Any) -> pb.HelloReply:
        offered.append(list(request.rosters))
        return pb.HelloReply(roster_epoch=theirs, rosters=[b"x"])

    link = PeerLink(Fixed(), "bob", "127.0.0.1:1")
    monkeypatch.setattr(link, "_unary", answer)
    with pytest.raises(ConfigError, match=f"bob holds roster {theirs}, we hold 5") as caught:
        await link.hello()
    assert caught.value.code == "roster-mismatch"
    assert caught.value.hint.startswith(hint)
    assert bool(offered[-1]) is (theirs < 5), "whoever is behind was offered what it lacks"
    assert "cosight alliance join APPROVAL" in caught.value.hint
