"""Rosters on disk as the live state: many processes, a crash, altered files; and a node's own certificate."""

import multiprocessing
import shutil
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from exchange.config import Home
from exchange.errors import ConfigError, MembershipError, NotAuthorised, RosterError
from exchange.identity import certificates, membership
from exchange.identity.directory import AllianceDirectory, RosterArchive
from exchange.identity.keys import NodeKeys, generate_ca_key
from exchange.identity.roster import SignedRoster
from exchange.identity.rules import authorise
from tests.exchange.identity.simulator import FOUNDER, NOW, Alliance


@pytest.fixture
def archive(three, tmp_path):
    return RosterArchive.found(tmp_path, three.rosters)


def names(path):
    return sorted(p.name for p in path.iterdir())


def test_rosters_are_kept_one_file_an_epoch(archive, three, tmp_path):
    assert archive.chain == three.chain
    assert archive.since(0) == three.rosters
    assert archive.since(2) == three.rosters[2:]
    assert archive.since(3) == archive.since(99) == []
    assert names(tmp_path) == ["000001.roster", "000002.roster", "000003.roster", "genesis"]
    assert RosterArchive(tmp_path).chain == three.chain
    assert {p.stat().st_mode & 0o777 for p in tmp_path.iterdir()} == {0o600}


def test_what_another_process_adds_is_seen_at_the_next_look(archive, three, tmp_path):
    other = RosterArchive(tmp_path)
    three.join("umbra")
    other.adopt(three.rosters)
    assert archive.chain == three.chain


def test_founding_again_is_the_same_and_founding_another_is_refused(archive, three, tmp_path):
    assert RosterArchive.found(tmp_path, three.rosters).chain == three.chain
    with pytest.raises(MembershipError) as caught:
        RosterArchive.found(tmp_path, Alliance().rosters)
    assert caught.value.code == "other-alliance"
    assert RosterArchive(tmp_path).chain == three.chain


def test_founding_that_was_interrupted_can_be_done_again(archive, three, tmp_path):
    for left in (["genesis"], ["genesis", "000001.roster"], ["000001.roster"]):
        for path in tmp_path.iterdir():
            if path.name not in left:
                path.unlink()
        assert RosterArchive.found(tmp_path, three.rosters).chain == three.chain


def test_without_an_alliance_the_operator_is_told_what_to_do(tmp_path):
    with pytest.raises(ConfigError) as caught:
        RosterArchive(tmp_path)
    assert caught.value.code == "no-alliance"
    assert "cosight alliance create" in caught.value.hint


def test_a_bad_batch_leaves_nothing_behind(archive, three, tmp_path):
    before = names(tmp_path)
    good = three.next()
    bad = replace(good, epoch=good.epoch + 1, previous=good.hash, quorum=3)
    with pytest.raises(RosterError):
        archive.adopt([three.forge(good), three.forge(bad)])
    assert names(tmp_path) == before


@pytest.mark.parametrize("name", ["000001.roster", "000002.roster", "000003.roster", "genesis"])
def test_an_altered_file_is_refused_and_named(archive, tmp_path, name):
    path = tmp_path / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ConfigError, match=r"genesis|000001\.roster" if name == "genesis" else name):
        RosterArchive(tmp_path)


def test_a_roster_removed_from_the_middle_ends_the_chain_there(archive, three, tmp_path):
    """A cut chain is an older state, which peers and the next greeting bring up to date."""
    (tmp_path / "000002.roster").unlink()
    cut = RosterArchive(tmp_path)
    assert cut.chain.current.epoch == 1
    assert cut.adopt(three.rosters) == three.chain


def test_a_different_roster_of_the_same_epoch_never_replaces_the_first(archive, three, tmp_path):
    left, right = (three.forge(three.next(issued_at=three.roster.issued_at + n)) for n in (1, 2))
    other = RosterArchive(tmp_path)
    other._refresh = lambda: None  # the moment between the look and the write, held open
    archive.adopt([left])
    with pytest.raises(RosterError) as caught:
        other.adopt([right])
    assert caught.value.code == "roster-fork"
    assert (tmp_path / "000004.roster").read_bytes() == left
    assert [n for n in names(tmp_path) if n.startswith(".")] == []


def race(directory, signed, gate, answers):
    archive = RosterArchive(directory)
    gate.wait()
    try:
        archive.adopt([signed])
        answers.put("adopted")
    except RosterError as e:
        answers.put(e.code)


@pytest.mark.parametrize("same", [True, False], ids=["same", "different"])
def test_two_processes_adopt_at_once(three, tmp_path, same):
    """Of two different rosters one wins and the other process is told; the same one twice is no conflict."""
    spawn = multiprocessing.get_context("spawn")
    gate, answers = spawn.Barrier(4), spawn.Queue()
    directory = tmp_path / "rosters"
    directory.mkdir()
    RosterArchive.found(directory, three.rosters)
    rosters = [
        three.forge(three.next(issued_at=three.roster.issued_at + (0 if same else n))) for n in range(4)
    ]
    processes = [spawn.Process(target=race, args=(directory, r, gate, answers)) for r in rosters]
    for process in processes:
        process.start()
    outcomes = sorted(answers.get(timeout=60) for _ in processes)
    for process in processes:
        process.join(60)
    assert outcomes == (["adopted"] * 4 if same else ["adopted"] + ["roster-fork"] * 3)
    assert RosterArchive(directory).chain.current.epoch == 4
    assert names(directory) == ["000001.roster", "000002.roster", "000003.roster", "000004.roster", "genesis"]


# A node


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def home_of(alliance, member, path):
    home = Home.init(path / member, member, keys=alliance.keys[member].to_pem())
    RosterArchive.found(home.rosters, alliance.rosters)
    return home


@pytest.fixture
def node(three, tmp_path, clock):
    return AllianceDirectory(home_of(three, "globex", tmp_path), clock=clock)


def test_a_node_knows_its_alliance(node, three):
    assert (node.member, node.alliance) == ("globex", "threats.example")
    assert node.roster() == (3, three.roster.hash)
    assert node.newer(2) == three.rosters[2:]
    assert node.target("initech") == "initech.threats.example"
    assert node.address("initech") == "initech.example:7443"
    assert node.authorise(three.leaf("initech").chain) == "initech"
    assert node.verify("globex", b"label\0data", node.sign(b"label\0data"))
    assert not node.verify("initech", b"label\0data", node.sign(b"label\0data"))
    assert not node.verify("umbra", b"label\0data", node.sign(b"label\0data"))
    with pytest.raises(MembershipError, match="umbra is not on roster 3"):
        node.target("umbra")


def test_its_configuration_knows_better_where_a_peer_is(three, tmp_path):
    home = home_of(three, "globex", tmp_path)
    home.config_file.write_text(
        home.config_file.read_text().replace("[peers]", '[peers]\ninitech = "10.0.0.7:1"')
    )
    assert AllianceDirectory(Home.open(home.path)).address("initech") == "10.0.0.7:1"


def test_a_peer_without_an_address_is_named(three, tmp_path):
    keys = three.keys[FOUNDER]
    three.take(membership.amend(three.chain, FOUNDER, keys, NOW, addresses={"initech": None}))
    with pytest.raises(ConfigError, match="initech") as caught:
        AllianceDirectory(home_of(three, "globex", tmp_path)).address("initech")
    assert 'initech = "HOST:PORT"' in caught.value.hint


def test_its_certificate_is_renewed_at_half_life_and_lives_in_memory(node, three, clock, tmp_path):
    first = node.tls()
    assert authorise(three.roster, first.chain, NOW).id == "globex"
    clock.now = NOW + timedelta(hours=11)
    assert node.tls() is first
    clock.now = NOW + timedelta(hours=12)
    second = node.tls()
    assert second.key != first.key
    assert authorise(three.roster, second.chain, clock.now).id == "globex"
    written = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert first.key.splitlines()[1] not in written
    assert second.key.splitlines()[1] not in written


def test_a_renewed_intermediate_is_used_at_once(node, three, clock):
    first = node.tls()
    clock.now = three.now = NOW + timedelta(hours=1)
    renewed = membership.renew(
        three.chain, FOUNDER, three.keys[FOUNDER], three.root_key, ["globex"], clock.now
    )
    three.take(renewed)
    node.adopt(three.rosters)
    assert node.tls().chain != first.chain
    assert three.roster.by_id["globex"].ca_certificate == certificates.der(
        certificates.load(node.tls().chain[node.tls().chain.index(b"-----BEGIN", 1) :])
    )


def test_a_running_node_follows_a_revocation_made_by_another_process(node, three):
    leaf = three.leaf("initech").chain
    assert node.authorise(leaf) == "initech"
    revoked = membership.revoke(three.chain, FOUNDER, three.keys[FOUNDER], ["initech"], NOW)
    RosterArchive(node.archive._directory).adopt([revoked.encode()])
    with pytest.raises(NotAuthorised) as caught:
        node.authorise(leaf)
    assert caught.value.code == "not-on-roster"


def test_a_revoked_node_says_so(node, three):
    three.take(membership.revoke(three.chain, FOUNDER, three.keys[FOUNDER], ["globex"], NOW))
    node.adopt(three.rosters)
    with pytest.raises(MembershipError, match="was revoked with roster 4"):
        node.tls()


def test_a_node_whose_keys_are_not_on_the_roster_says_so(three, tmp_path):
    three.keys["globex"] = replace(NodeKeys.generate(), identity=three.keys["globex"].identity)
    with pytest.raises(MembershipError) as caught:
        AllianceDirectory(home_of(three, "globex", tmp_path)).tls()
    assert caught.value.code == "key-mismatch"


def test_a_home_restored_from_a_backup_works(node, three, tmp_path):
    copy = tmp_path / "restored"
    shutil.copytree(tmp_path / "globex", copy)
    again = AllianceDirectory(Home.open(copy), clock=lambda: NOW)
    assert again.roster() == node.roster()
    assert authorise(three.roster, again.tls().chain, NOW).id == "globex"


def test_an_exposed_key_stops_the_node(three, tmp_path):
    home = home_of(three, "globex", tmp_path)
    home.key_file("identity").chmod(0o640)
    with pytest.raises(ConfigError) as caught:
        AllianceDirectory(home)
    assert caught.value.hint == f"run: chmod 600 {home.key_file('identity')}"


def test_a_signed_roster_is_taken_from_a_greeting(node, three):
    three.take(SignedRoster.decode(three.forge(three.next())))
    node.adopt(three.rosters[-1:])
    assert node.roster() == (4, three.roster.hash)


def test_the_root_key_is_not_needed_to_run(three, tmp_path):
    three.root_key = generate_ca_key()
    AllianceDirectory(home_of(three, "globex", tmp_path), clock=lambda: NOW).tls()
