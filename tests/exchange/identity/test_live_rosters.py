"""A home's rosters as the live state: many processes, a crash, altered files; the node's own certificate."""

import multiprocessing
import shutil
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from exchange.config import Home
from exchange.errors import ConfigError, CosightError, NotAuthorised, RosterError
from exchange.identity import certificates, membership
from exchange.identity.keys import NodeKeys
from exchange.identity.roster import SignedRoster
from exchange.identity.rules import authorise
from exchange.store.alliance import Alliance as LiveAlliance
from exchange.store.alliance import node_keys
from tests.exchange.identity.simulator import FOUNDER, NOW, Alliance


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def home(three, tmp_path):
    home = Home.init(tmp_path / "globex", "globex", keys=three.keys["globex"].to_pem())
    LiveAlliance.begin(home, three.rosters)
    return home


def opened(home, clock=lambda: NOW):
    return LiveAlliance(home, node_keys(home), clock)


def files_of(home):
    return sorted(p.name for p in home.rosters.iterdir() if p.suffix == ".roster" or p.name.startswith("."))


def test_rosters_are_kept_one_file_an_epoch(home, three):
    node = opened(home)
    assert node.chain() == three.chain
    assert node.signed() == node.newer(0) == three.rosters
    assert node.newer(2) == three.rosters[2:]
    assert node.newer(3) == node.newer(99) == []
    assert files_of(home) == ["000001.roster", "000002.roster", "000003.roster"]
    assert {p.stat().st_mode & 0o777 for p in home.rosters.iterdir()} == {0o600}


def test_what_another_process_adds_is_seen_at_the_next_look(home, three):
    node = opened(home)
    three.join("umbra")
    opened(home).adopt(three.rosters)
    assert node.chain() == three.chain


def test_a_running_node_follows_a_revocation_made_by_another_process(home, three):
    node, leaf = opened(home), three.leaf("initech").chain
    assert node.authorise(leaf) == "initech"
    revoked = membership.revoke(three.chain, FOUNDER, three.keys[FOUNDER], ["initech"], NOW)
    opened(home).adopt([revoked.encode()])
    with pytest.raises(NotAuthorised) as caught:
        node.authorise(leaf)
    assert caught.value.code == "not-on-roster"


def test_a_home_belongs_to_one_alliance(home, three):
    LiveAlliance.begin(home, three.rosters)
    with pytest.raises(CosightError, match="already"):
        LiveAlliance.begin(home, Alliance().rosters)
    assert opened(home).chain() == three.chain


def test_a_beginning_that_was_interrupted_can_be_done_again(home, three):
    for kept in (0, 1, 2):
        for path in sorted(home.rosters.iterdir())[kept:]:
            path.unlink()
        LiveAlliance.begin(home, three.rosters)
        assert opened(home).chain() == three.chain


def test_without_an_alliance_the_operator_is_told_what_to_do(three, tmp_path):
    home = Home.init(tmp_path / "umbra", "umbra", keys=three.keys[FOUNDER].to_pem())
    with pytest.raises(ConfigError) as caught:
        opened(home)
    assert caught.value.code == "no-alliance"
    assert "cosight alliance create" in caught.value.hint


def test_a_bad_batch_leaves_nothing_behind(home, three):
    good = three.next()
    three.chain = three.chain.adopt([three.forge(good)])
    bad = three.next(quorum=3)
    with pytest.raises(RosterError, match="fewer"):
        opened(home).adopt([three.forge(good), three.forge(bad)])
    assert files_of(home) == ["000001.roster", "000002.roster", "000003.roster"]


@pytest.mark.parametrize("epoch", [1, 2, 3])
@pytest.mark.parametrize("part", [0.0, 0.3, 0.6, 0.99])
def test_an_altered_file_is_refused(home, epoch, part):
    path = home.rosters / f"{epoch:06}.roster"
    data = bytearray(path.read_bytes())
    data[int(part * len(data))] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(RosterError):
        opened(home).chain()


def test_a_roster_lost_from_the_middle_is_an_older_state(home, three):
    """What peers send at the next greeting brings it up to date."""
    (home.rosters / "000002.roster").unlink()
    node = opened(home)
    assert node.roster()[0] == 1
    node.adopt(three.rosters)
    assert node.chain() == three.chain


def race(path, signed, gate, answers):
    node = opened(Home.open(path))
    gate.wait()
    try:
        node.adopt([signed])
        answers.put("adopted")
    except RosterError as e:
        answers.put(e.code)


@pytest.mark.parametrize("same", [True, False], ids=["same", "different"])
def test_processes_adopt_at_once(home, three, same):
    """Of different rosters one wins and the other processes are told; the same one twice is no conflict."""
    spawn = multiprocessing.get_context("spawn")
    gate, answers = spawn.Barrier(4), spawn.Queue()
    first = three.roster.issued_at
    rosters = [three.forge(three.next(issued_at=first + (0 if same else n))) for n in range(4)]
    processes = [spawn.Process(target=race, args=(home.path, r, gate, answers)) for r in rosters]
    for process in processes:
        process.start()
    outcomes = sorted(answers.get(timeout=60) for _ in processes)
    for process in processes:
        process.join(60)
    assert outcomes == (["adopted"] * 4 if same else ["adopted"] + ["roster-fork"] * 3)
    assert opened(home).roster()[0] == 4
    assert files_of(home) == ["000001.roster", "000002.roster", "000003.roster", "000004.roster"]


def test_a_second_roster_of_an_epoch_never_replaces_the_first(home, three):
    left, right = (three.forge(three.next(issued_at=three.roster.issued_at + n)) for n in (1, 2))
    node = opened(home)
    node.adopt([left])
    with pytest.raises(RosterError) as caught:
        node.adopt([right])
    assert caught.value.code == "roster-fork"
    assert (home.rosters / "000004.roster").read_bytes() == left


def test_its_certificate_is_renewed_at_half_life_and_lives_in_memory(home, three, clock):
    node = opened(home, clock)
    first = node.tls()
    assert authorise(three.roster, first.chain, NOW).id == "globex"
    clock.now = NOW + timedelta(hours=11)
    assert node.tls() == first
    clock.now = NOW + timedelta(hours=12)
    second = node.tls()
    assert second.key != first.key
    assert authorise(three.roster, second.chain, clock.now).id == "globex"
    written = b"".join(p.read_bytes() for p in home.path.rglob("*") if p.is_file())
    assert first.key.splitlines()[1] not in written
    assert second.key.splitlines()[1] not in written


def test_a_revoked_node_shows_no_certificate(home, three):
    three.take(membership.revoke(three.chain, FOUNDER, three.keys[FOUNDER], ["globex"], NOW))
    node = opened(home)
    node.tls()
    node.adopt(three.rosters)
    with pytest.raises(CosightError, match="not on roster 4"):
        node.tls()


def test_a_renewed_intermediate_is_used_at_once(home, three, clock):
    node = opened(home, clock)
    first = node.tls()
    clock.now = NOW + timedelta(hours=1)
    founder = three.keys[FOUNDER]
    three.take(membership.renew(three.chain, FOUNDER, founder, three.root_key, ["globex"], clock.now))
    node.adopt(three.rosters)
    second = node.tls()
    assert second.chain != first.chain
    intermediate = certificates.load(three.roster.by_id["globex"].ca_certificate)
    assert second.chain.endswith(intermediate.public_bytes(Encoding.PEM))


def test_a_node_whose_keys_are_not_on_the_roster_says_so(three, tmp_path):
    keys = replace(NodeKeys.generate(), identity=three.keys["globex"].identity)
    home = Home.init(tmp_path / "other", "globex", keys=keys.to_pem())
    LiveAlliance.begin(home, three.rosters)
    with pytest.raises(CosightError) as caught:
        opened(home).tls()
    assert caught.value.code == "key-mismatch"


def test_a_home_restored_from_a_backup_works(home, three, tmp_path):
    shutil.copytree(home.path, tmp_path / "restored")
    again = opened(Home.open(tmp_path / "restored"))
    assert again.chain() == three.chain
    assert authorise(three.roster, again.tls().chain, NOW).id == "globex"


def test_an_exposed_key_stops_the_node(home):
    home.key_file("identity").chmod(0o640)
    with pytest.raises(ConfigError) as caught:
        opened(home)
    assert caught.value.hint == f"run: chmod 600 {home.key_file('identity')}"


def test_a_roster_from_a_greeting_is_taken(home, three):
    three.take(SignedRoster.decode(three.forge(three.next())))
    node = opened(home)
    node.adopt(three.rosters[-1:])
    assert node.roster() == (4, three.roster.hash)


def test_a_copy_of_an_older_roster_under_the_next_number_is_refused(home):
    shutil.copy(home.rosters / "000002.roster", home.rosters / "000004.roster")
    with pytest.raises(RosterError) as caught:
        opened(home).chain()
    assert caught.value.code == "roster-gap"
