"""Publishing our set: what enters for whom, what is computed again, what the next filter changes."""

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from crypto import publishing
from crypto.filters import Delta, Golomb, Sorted, decode
from exchange.config import Home, Settings
from exchange.disclosure.publishing import Edition, is_covered, publish, strictest
from exchange.errors import ConfigError, PolicyRefusal, StoreError
from exchange.indicators import IndicatorType, Tlp
from exchange.indicators.context import Pap
from exchange.local.alliance import ALLOW_ALL
from exchange.policy import Admission
from exchange.publication import Kind, verify
from exchange.store.publications import Publications
from tests.exchange.disclosure.desks import KEYS, NOON, Side

WORDS = [f"w{i}" for i in range(900)]
PROTOCOLS = next(line for line in ALLOW_ALL.splitlines() if line.startswith("protocols"))
ALLOWED = ALLOW_ALL.replace(PROTOCOLS, 'protocols = ["filter"]')
MEMBERS = ("bob", "carol")


@pytest.fixture
def shelf(tmp_path: Path) -> Publications:
    return Publications(Home(tmp_path, Settings("alice")))


@pytest.fixture
def alice() -> Side:
    return Side("alice", list(WORDS), policy_text=ALLOWED)


def build(alice: Side, shelf: Publications, **edition):
    return publish(alice.desk, shelf, Edition(**edition), MEMBERS)


def files(shelf: Publications, kind: str) -> list[Path]:
    return sorted(shelf.home.path.glob(f"publications/*/{kind}*"))


def test_what_is_published_holds_our_items_and_looks_padded(alice, shelf):
    built = build(alice, shelf)
    p = built.published.publication
    assert (p.number, p.kind, p.fpr, p.items, built.new, built.renewed) == (
        1,
        Kind.GOLOMB,
        2**-30,
        928,
        900,
        True,
    )
    assert verify(p, built.published.signature, KEYS["alice"].identity.public_key().public_bytes_raw())
    found = decode(shelf.filter(p))
    assert isinstance(found, Golomb)
    assert found.items == p.items
    assert found.contains(shelf.tags(p)).all()
    key = publishing.epoch_key(shelf.seed(p.epoch), p.epoch)
    tags = publishing.tags_of(publishing.oprf.evaluate(key, alice.items.rows), key.public_key)
    assert found.contains(tags).all()
    assert key.public_key == p.public_key
    assert (p.expires - p.made, p.made) == (7 * 86400, int(NOON.timestamp()))
    assert built.published.audience == MEMBERS


def test_tags_are_computed_once_an_epoch(alice, shelf):
    first = build(alice, shelf)
    alice.items.words = [*WORDS[50:], "new"]
    seen = []
    second = publish(alice.desk, shelf, Edition(), MEMBERS, progress=seen.append)
    assert (second.new, seen, second.renewed) == (1, [1], False)
    p, q = first.published.publication, second.published.publication
    assert (q.number, q.epoch, q.public_key, q.expires) == (2, p.epoch, p.public_key, p.expires)
    third = build(alice, shelf, renew=True)
    assert (third.new, third.renewed, third.published.publication.number) == (851, True, 1)
    assert third.published.publication.public_key != p.public_key
    assert [path.parent.name for path in files(shelf, "seed")] == [third.published.publication.epoch_name]


def test_the_same_set_again_is_the_same_filter(alice, shelf):
    first = build(alice, shelf)
    alice.later(hours=1)
    again = build(alice, shelf)
    assert again.published.publication == replace(
        first.published.publication, made=first.published.publication.made + 3600
    )
    assert again.new == 0


def test_an_epoch_that_is_over_is_not_gone_on_with(alice, shelf):
    first = build(alice, shelf, days=2)
    alice.later(days=3)
    again = build(alice, shelf)
    assert again.renewed
    assert again.published.publication.epoch != first.published.publication.epoch


def test_a_sorted_filter_has_a_delta_that_gives_the_next_one(alice, shelf):
    first = build(alice, shelf, kind=Kind.SORTED)
    assert first.published.publication.fpr == 2**-60
    old = Sorted.from_bytes(shelf.filter(first.published.publication))
    alice.items.words = [*WORDS[10:], *(f"new{i}" for i in range(10))]
    second = build(alice, shelf)
    p = second.published.publication
    with shelf.delta(p, first.published.publication.digest) as file:
        encoded = file.read()
    assert len(encoded) == second.delta < p.size / 5
    assert Delta.from_bytes(encoded).apply(old).to_bytes() == shelf.filter(p)
    delta = Delta.from_bytes(encoded)
    assert (len(delta.removed) // delta.width, len(delta.added) // delta.width) == (10, 10)


def test_filters_of_other_kinds_and_widths_have_no_delta(alice, shelf):
    build(alice, shelf)
    assert build(alice, shelf, kind=Kind.SORTED).delta == 0
    assert build(alice, shelf, fpr=2**-20).delta == 0
    assert files(shelf, "delta") == []


def test_old_deltas_and_files_go(alice, shelf):
    build(alice, shelf, kind=Kind.SORTED)
    for number in range(20):
        alice.items.words = WORDS[: 800 - number]
        build(alice, shelf)
    assert len(files(shelf, "delta")) == 16
    assert len(files(shelf, "filter")) == len(files(shelf, "tags")) == 2


def test_secrets_are_ours_alone(alice, shelf):
    build(alice, shelf, kind=Kind.SORTED)
    alice.items.words = WORDS[:800]
    build(alice, shelf)
    found = [path for path in shelf.home.path.rglob("*") if path.is_file()]
    assert len(found) >= 7
    assert [path for path in found if path.stat().st_mode & 0o077] == []
    assert shelf.home.path.joinpath("publications").stat().st_mode & 0o077 == 0


def test_two_builds_at_once(alice, shelf):
    with ThreadPoolExecutor(4) as pool:
        tried = [pool.submit(build, alice, Publications(shelf.home)) for _ in range(4)]
    errors = [t.exception() for t in tried if t.exception() is not None]
    assert {type(e) for e in errors} <= {ConfigError}
    assert {e.code for e in errors} <= {"filter-busy"}
    assert len(errors) < 4
    assert shelf.filter(shelf.current().publication) is not None


def test_while_another_process_builds_nobody_else_does(alice, shelf):
    build(alice, shelf)
    before = shelf.current()
    with (shelf.home.path / "publications/lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConfigError) as caught:
            build(alice, shelf, renew=True)
    assert caught.value.code == "filter-busy"
    assert shelf.current() == before


def test_a_build_that_dies_leaves_what_was_published(alice, shelf, monkeypatch):
    before = build(alice, shelf).published
    alice.items.words = WORDS[:500]
    from exchange.store import publications  # noqa: PLC0415

    real = publications.write_atomic

    def dies(path, data):
        if path.name == "current.json":
            raise OSError("killed")
        real(path, data)

    monkeypatch.setattr(publications, "write_atomic", dies)
    with pytest.raises(OSError, match="killed"):
        build(alice, shelf)
    monkeypatch.undo()
    assert Publications(shelf.home).current() == before
    assert shelf.filter(before.publication) is not None
    assert build(alice, shelf).published.publication.number == 2


def test_what_is_damaged_is_said_so(alice, shelf):
    built = build(alice, shelf)
    current = shelf.home.path / "publications/current.json"
    text = current.read_text()
    for damaged in (text[:-30], "{}", text.replace('"tlp": "', '"tlp": "X'), "[]"):
        current.write_text(damaged)
        with pytest.raises(StoreError):
            Publications(shelf.home).current()
    current.write_text(text)
    (path,) = files(shelf, "filter")
    path.write_bytes(path.read_bytes()[:-1])
    assert shelf.filter(built.published.publication) is None
    (seed,) = files(shelf, "seed")
    os.truncate(seed, 10)
    with pytest.raises(ConfigError):
        build(alice, shelf)


def test_a_damaged_memory_of_tags_is_computed_again(alice, shelf):
    before = build(alice, shelf).published
    (known,) = files(shelf, "known")
    whole = known.read_bytes()
    for damaged in (b"x", b"", whole[32:], whole[:500] + bytes([whole[500] ^ 1]) + whole[501:]):
        known.write_bytes(damaged)
        again = build(alice, shelf)
        assert (again.new, again.published.publication.digest) == (900, before.publication.digest)
    assert build(alice, shelf).new == 0


def test_only_those_whom_the_policy_lets_may_ask(alice, shelf):
    alice.policy_text = ALLOWED.replace('peers."*"', "peers.bob")
    assert build(alice, shelf).published.audience == ("bob",)
    for wrong in (("carol",), ("bob", "carol"), ("nobody",)):
        with pytest.raises(PolicyRefusal):
            build(alice, shelf, audience=wrong)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('protocols = ["filter"]', 'protocols = ["voprf"]'),
        ('directions = ["initiator", "responder"]', 'directions = ["initiator"]'),
        ('reveal = "context"', 'reveal = "cardinality"'),
        ('learns = ["us", "peer"]', 'learns = ["us"]'),
        ("version = 1", "version = 1\nsuspended = true"),
        ("version = 1", "version = 1\nvalid_until = 2025-01-01"),
        ("sessions_per_day = 1000", "sessions_per_day = 1000\nsuspended = true"),
    ],
)
def test_a_policy_that_lets_nobody_ask_publishes_nothing(alice, shelf, old, new):
    assert old in alice.policy_text
    alice.policy_text = ALLOWED.replace(old, new)
    with pytest.raises(PolicyRefusal):
        build(alice, shelf)
    assert shelf.current() is None


def test_types_are_those_that_everybody_may_have(alice, shelf):
    only = "[peers.bob]\n" + ALLOWED.partition('[peers."*"]\n')[2].partition("\n[legal")[0]
    kinds = ALLOWED.partition("types = ")[2].partition("\n")[0]
    alice.policy_text = ALLOWED + "\n" + only.replace(kinds, '["ipv4"]')
    with pytest.raises(ConfigError) as caught:
        build(alice, shelf)
    assert caught.value.code == "empty-store"
    with pytest.raises(PolicyRefusal):
        build(alice, shelf, types=(IndicatorType.DOMAIN,))
    assert build(alice, shelf, audience=("carol",)).published.offer.size == 900


def test_the_strictest_admission_is_as_strict_as_each():
    some = Admission(tlp=Tlp.AMBER, max_age_days={IndicatorType.IPV4: 9}, imported_after=NOON)
    other = Admission(
        tlp=Tlp.GREEN, pap=Pap.GREEN, max_age_days={IndicatorType.IPV4: 3, IndicatorType.URL: 7}, own=True,
        imported_after=NOON + timedelta(days=1),
    )  # fmt: skip
    both = strictest([some, other])
    assert both == strictest([other, some]) == other
    assert is_covered(both, some)
    assert is_covered(both, other)
    assert not is_covered(some, other)
    assert not is_covered(Admission(tlp=Tlp.GREEN), Admission(tlp=Tlp.GREEN, pap=Pap.CLEAR))


def test_rates_that_a_kind_cannot_have_are_refused(alice, shelf):
    with pytest.raises(ConfigError) as caught:
        build(alice, shelf, kind=Kind.BLOOM, fpr=2.0**-60)
    assert caught.value.code == "filter-parameters"
    assert shelf.current() is None


def test_who_may_ask_stays_but_for_those_who_may_no_longer(alice, shelf):
    assert build(alice, shelf, audience=("bob",)).published.audience == ("bob",)
    assert build(alice, shelf).published.audience == ("bob",)
    assert build(alice, shelf, audience=MEMBERS).published.audience == MEMBERS
    left = publish(alice.desk, shelf, Edition(), ["carol"])
    assert left.published.audience == ("carol",)
    with pytest.raises(PolicyRefusal):
        publish(alice.desk, shelf, Edition(), ["dave"])
