"""What a discovery takes: bytes on the disk, memory at the counter, questions of a quota."""

from dataclasses import replace

import pytest

from crypto.errors import DecodeError
from exchange.disclosure import patience
from exchange.discovery import bringing, tagging
from exchange.errors import ConfigError, PeerRefused, PeerUnavailable
from tests.exchange.discovery.alliance import ALL, NAMES, SEARCH, Alliance, Line, values


@pytest.fixture
def alliance(tmp_path):
    return Alliance(tmp_path, {name: ["a.example", f"{name}.example"] for name in NAMES})


async def test_what_was_brought_is_kept_until_its_outcome_is_there_and_no_longer(alliance):
    """Asked again, the same comes of it, and nothing is brought a second time."""
    async with alliance.serving():
        found = await alliance.ask_all(ALL)
        room = alliance.members["erin"].home.path / "discoveries" / "own" / found["erin"].round.session
        left = {path.name: path.stat().st_size for path in room.iterdir()}
        assert {"batches", "words"}.isdisjoint(left)
        assert sum(left.values()) < 1000
        alliance.lines["erin", "alice"] = Unwilling
        again = await alliance.ask("erin", ALL)
    assert values(again) == values(found["erin"])


class Unwilling(Line):
    """A relay that must not be brought anything."""

    async def deposit(self, _deposit, _chunks):
        raise AssertionError


@pytest.mark.parametrize("code", ["too-large", "too-late", "second-batch", "busy", "not-drawn"])
async def test_what_a_relay_never_takes_is_not_kept(alliance, monkeypatch, code):
    class Refusing(Line):
        async def deposit(self, _deposit, _chunks):
            raise PeerRefused("it said no", code=code)

    monkeypatch.setattr(patience, "PAUSES_S", (0.01,))
    monkeypatch.setattr(bringing, "POLL_S", 0.1)
    alliance.lines["erin", "alice"] = Refusing
    async with alliance.serving():
        with pytest.raises(PeerRefused) as fault:
            await alliance.ask("erin", replace(SEARCH, wait_s=1))
    assert fault.value.code == code
    kept = list(alliance.members["erin"].home.path.glob("discoveries/own/*/batches"))
    assert len(kept) == (code in {"busy", "not-drawn"})


async def test_what_was_brought_goes_when_the_session_is_given_up(alliance, monkeypatch):
    counter = alliance.members["bob"].service._counting

    def failing(*_):
        raise DecodeError("no such value")

    monkeypatch.setattr(counter, "_count", failing)
    async with alliance.serving():
        assert {result.code for result in (await alliance.ask_all()).values()} == {"discovery-broken"}
        assert {result.code for result in (await alliance.ask_all()).values()} == {"discovery-broken"}
    for member in alliance.members.values():
        assert not list(member.home.path.glob("discoveries/own/*/batches"))


async def test_strict_refuses_what_takes_too_much_memory(alliance):
    """With the number, and before anything is asked or written."""
    erin = alliance.members["erin"]
    before = size_of(erin.home.path)
    large = replace(SEARCH, largest=1 << 22, max_seconds=1e6)
    with pytest.raises(ConfigError) as fault:  # no node serves: nobody can have been asked
        await alliance.ask("erin", large)
    assert fault.value.code == "too-costly"
    assert "each batch would have 1,921 MiB, and all of them 9,601 MiB" in str(fault.value)
    assert size_of(erin.home.path) == before


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


async def test_counter_takes_no_more_than_it_can_hold(alliance):
    """One that all together would not fit is refused before a byte of it comes, whoever relays."""
    desk = alliance.members["bob"].office.desk
    object.__setattr__(desk, "limits", replace(desk.limits, max_discovery_mib=0))
    read = []

    class Counted(Line):
        async def deposit(self, deposit, chunks):
            def counted():
                for chunk in chunks:
                    read.append(chunk)
                    yield chunk

            await super().deposit(deposit, counted())

    alliance.lines["alice", "bob"] = Counted
    async with alliance.serving():
        found = await alliance.ask_all()
    assert {result.code for result in found.values()} == {"discovery-broken"}
    assert read == []


@pytest.mark.parametrize("fails", [1, 2, 3])
async def test_a_question_whose_answer_is_lost_is_counted_once(tmp_path, monkeypatch, fails):
    """Whichever of its parts that is: a helper that answered it knows it again."""
    alliance = Alliance(tmp_path, {name: [f"{n}.example" for n in range(70)] for name in NAMES})
    monkeypatch.setattr(tagging, "AT_ONCE", 32)
    asked: list[bytes] = []

    class Losing(Line):
        async def evaluate(self, epoch, declared, blinded):
            answer = await super().evaluate(epoch, declared, blinded)
            asked.append(blinded.tobytes())
            if len(asked) == fails:
                raise PeerUnavailable("the answer is lost")
            return answer

    alliance.lines["erin", "dave"] = Losing
    async with alliance.serving():
        with pytest.raises(PeerUnavailable):
            await alliance.ask("erin")
        found = await alliance.ask_all()
    assert {result.counted for result in found.values()} == {5}
    assert asked[fails] == asked[fails - 1]
    assert len(set(asked)) == len(asked) - 1


async def test_what_only_fills_up_is_never_the_same_twice(alliance):
    """Or a helper would see who asks about nothing new."""
    asked: dict[str, list[bytes]] = {}

    class Seen(Line):
        async def evaluate(self, epoch, declared, blinded):
            asked.setdefault(self.caller, []).extend(row.tobytes() for row in blinded)
            return await super().evaluate(epoch, declared, blinded)

    alliance.lines["*", "carol"] = Seen
    async with alliance.serving():
        await alliance.ask_all(ALL)
        await alliance.ask_all(replace(ALL, threshold=2))
    for rows in asked.values():
        assert len(set(rows)) == len(rows)
