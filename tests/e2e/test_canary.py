"""Planted values that do not match leave their house in no form: not on the wire, in no file, log or memory.

The wire is captured twice: as TLS on the network, and in clear where frames are made. One house must not
spell the other's canaries anywhere at all; its own it may spell in its store and in nothing else.
"""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from pypdf import PdfReader

from crypto.hashing import item_rows
from crypto.psi import DISCOVERED, Output
from exchange.agreement import Rung
from exchange.disclosure import Wish
from exchange.indicators import IndicatorType
from exchange.node import Node
from exchange.rpc.channel import FrameChannel
from exchange.rpc.client import PeerLink
from tests.e2e.conftest import feed
from tests.e2e.nodes import cosight, homeless, import_values, serve
from tests.e2e.process import Process
from tests.e2e.tap import Tap

pytestmark = pytest.mark.slow
SHARED = feed(*range(20))
PIECE = 12
"""Bytes of a digest that are enough to know it by, and too many to occur by chance."""


def canaries(house: str) -> dict[IndicatorType, str]:
    """One value of most types that nobody else holds."""
    digest = hashlib.sha512(house.encode()).hexdigest()
    return {
        IndicatorType.DOMAIN: f"canary-{digest[:12]}.example.com",
        IndicatorType.URL: f"https://example.org/canary/{digest[12:24]}",
        IndicatorType.EMAIL: f"canary-{digest[24:36]}@example.net",
        IndicatorType.IPV4: f"9.{ord(house[0])}.201.117",
        IndicatorType.MD5: digest[36:68],
        IndicatorType.SHA256: digest[:64],
    }


def spellings(kind: IndicatorType, value: str) -> Iterator[bytes]:
    """The value, its item row, its usual digests, and each of them as people and programs write bytes."""
    text = value.encode()
    row = item_rows(kind, [value])[0].tobytes()
    raw = [
        text,
        row[:PIECE],
        row[-PIECE:],
        *(hashlib.new(h, text).digest()[:PIECE] for h in ("md5", "sha1", "sha256")),
    ]
    if kind in {IndicatorType.MD5, IndicatorType.SHA256}:
        raw.append(bytes.fromhex(value))
    for data in raw:
        yield data
        yield data[::-1]
        yield data.hex().encode()
        yield data.hex().upper().encode()
        for skip in range(3):  # base64 depends on where a value begins
            yield base64.b64encode(bytes(skip) + data)[4 if skip else 0 : -4]
    yield value.upper().encode()
    yield value.encode("utf-16-le")
    yield quote(value, safe="").encode()
    yield value.replace(".", "[.]").encode()


def said_of(house: str) -> str:
    """What a house says of its canaries, and of nothing else."""
    return f"said-only-by-{hashlib.sha512(house.encode()).hexdigest()[68:80]}"


def found(house: str, data: bytes) -> list[str]:
    """Which canaries of a house are spelt somewhere in these bytes, or what it says of them."""
    said = said_of(house)
    return [said] * (said.encode() in data) + [
        value
        for kind, value in canaries(house).items()
        if any(len(s) >= 8 and s in data for s in spellings(kind, value))
    ]


def files_of(home, *, but: str = "\0") -> bytes:
    """The content of every file in a home, apart from the store's or the feed's where asked."""
    return b"\n".join(
        path.read_bytes() for path in sorted(home.path.rglob("*")) if path.is_file() and not path.match(but)
    )


def memory_of(pid: int) -> bytes:
    """Everything that a process can write to, as it is now."""
    held = bytearray()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, *_ = line.split()
            start, end = (int(part, 16) for part in span.split("-"))
            if rights.startswith("rw") and "[v" not in line:
                memory.seek(start)
                held += memory.read(end - start) or b""
    return bytes(held)


@pytest.fixture
def planted(homes):
    for home in homes:
        plain, told = home.path / "feed.txt", home.path / "told.csv"
        import_values(home, SHARED)
        rows = "".join(f"{value},{said_of(home.member)}\n" for value in canaries(home.member).values())
        told.write_text(f"value,malware\n{rows}")
        cosight(home, "import", str(told))
        plain.unlink()
        told.unlink()
    return homes


@pytest.fixture
def in_clear(monkeypatch) -> bytearray:
    """Every byte that the calls of this process send and get, before and after encryption."""
    kept = bytearray()
    begin, unary = FrameChannel.__init__, PeerLink._unary

    def tapped(self, protocol, *, read, write, **rest):
        async def hear():
            data = await read()
            kept.extend(data or b"")
            return data

        async def say(frame):
            kept.extend(frame)
            return await write(frame)

        begin(self, protocol, read=hear, write=say, **rest)

    async def called(self, method, request, reply):
        kept.extend(request.SerializeToString())
        answer = await unary(self, method, request, reply)
        kept.extend(answer.SerializeToString())
        return answer

    monkeypatch.setattr(FrameChannel, "__init__", tapped)
    monkeypatch.setattr(PeerLink, "_unary", called)
    return kept


def test_the_search_finds_what_is_there(planted):
    """Else the tests below would prove nothing."""
    for home in planted:
        everything = [said_of(home.member), *canaries(home.member).values()]
        assert found(home.member, files_of(home)) == everything
        other = next(h.member for h in planted if h is not home)
        assert found(other, files_of(home)) == []
    for kind, value in canaries("alice").items():
        row = item_rows(kind, [value])[0].tobytes()
        for spelt in (
            value.encode(),
            row,
            row.hex().encode(),
            base64.b64encode(b"x" + row),
            base64.b64encode(value.encode()),
        ):
            assert value in found("alice", b"before " + spelt + b" after")


RUNS = [
    pytest.param(protocol, output, turned, id=f"{protocol.name}-{output}{'-turned' * turned}")
    for protocol in DISCOVERED.values()
    for output in Output
    for turned in (False, True)
    if output in protocol.outputs and not (turned and protocol.name != "voprf")
]


@pytest.mark.parametrize(("protocol", "output", "turned"), RUNS)
async def test_on_the_wire_and_in_clear(planted, in_clear, protocol, output, turned):
    alice, bob = planted
    with serve(bob) as node, Tap(node.address) as tap, Node(alice) as ours:
        wish = Wish(
            rung=Rung(protocol.reveals), types=tuple(sorted(IndicatorType)), output=output,
            protocol=protocol.name, over="sightings", turned=turned,
        )  # fmt: skip
        outcome = await ours.match("bob", wish, address=tap.address)
        memory = memory_of(node.process.pid)
    if outcome.matches is not None:
        assert {m.value for m in outcome.matches} == set(SHARED)
    assert len(in_clear) > outcome.sent + outcome.received > 2 * 32 * len(SHARED)
    assert len(tap.sent) > outcome.sent
    assert len(tap.received) > outcome.received
    assert bytes.fromhex(outcome.session) in in_clear
    assert bytes.fromhex(outcome.session) not in tap.sent  # TLS hides even this
    for house in ("alice", "bob"):
        for captured in (bytes(tap.sent), bytes(tap.received), bytes(in_clear)):
            assert found(house, captured) == []
    for shared in SHARED:  # not even what matches is ever spelt
        assert shared.encode() not in in_clear
    assert b"tests.example.com" in memory
    assert said_of("alice").encode() not in memory
    for kind, value in canaries("alice").items():
        assert value.encode() not in memory
        assert item_rows(kind, [value])[0].tobytes()[:PIECE] not in memory


@pytest.mark.parametrize(
    "flags",
    [(), ("--both",), ("--both", "strict"), ("--reveal", "context", "--both")],
    ids=["receiver", "both", "strict", "context"],
)
def test_in_files_logs_and_output(planted, flags):
    alice, bob = planted
    with serve(bob) as node:
        said = []
        for form in (["--json"], []):
            command = ["match", "bob", *flags, "--address", node.address, "--home", str(alice.path), *form]
            with Process("-v", *command) as match:
                said += match.communicate()
            assert match.returncode == 0
    printed = "".join(said).encode()
    assert SHARED[0].encode() in printed
    assert (bob.path / "serve.log").exists()
    for house in ("alice", "bob"):
        assert found(house, printed) == []
    for home, other in ((alice, "bob"), (bob, "alice")):
        assert found(other, files_of(home)) == []
        assert found(home.member, files_of(home, but="store.db*")) == []
        for shared in SHARED:
            assert shared.encode() not in files_of(home, but="store.db*")


@pytest.mark.parametrize("flags", [(), ("--both",)], ids=["receiver", "both"])
def test_in_reports_and_exports(planted, flags, tmp_path):
    alice, bob = planted
    with serve(bob) as node:
        cosight(alice, "match", "bob", *flags, "--address", node.address)
    for home in planted:
        peer = "bob" if home is alice else "alice"
        folder = tmp_path / f"of-{home.member}"
        pages = [folder / f"report.{form}" for form in ("json", "html", "pdf")]
        folder.mkdir()
        written = ["--out", str(pages[0]), "--html", str(pages[1]), "--pdf", str(pages[2])]
        cosight(home, "report", "--peer", peer, *written)
        cosight(home, "ledger", "export", str(folder / "export"))
        text = "\n".join(page.extract_text() for page in PdfReader(pages[2]).pages).encode()
        everything = [text, *(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())]
        assert len(everything) > 8
        for data in everything:
            for house in ("alice", "bob"):
                assert found(house, data) == []
            for shared in SHARED:
                assert shared.encode() not in data
    assert homeless("verify", *(str(tmp_path / f"of-{home.member}" / "export") for home in planted))["ok"]
