"""Matches that cost what has changed, between real processes: days going by, lost states, and the auditor."""

from dataclasses import replace

import pytest

from exchange.audit.folder import read
from exchange.audit.verify import audit
from exchange.ledger import Leaf
from exchange.store.alliance import node_keys
from tests.e2e.conftest import feed
from tests.e2e.nodes import cosight, entries, homeless, import_values, serve, story
from tests.e2e.test_match import values
from tests.exchange.audit.world import rewritten
from tests.reference import audit as reference

pytestmark = pytest.mark.slow
DELTA = ("--protocol", "voprf-epoch")


def domains(*numbers: int) -> list[str]:
    return [f"host{n}.example.net" for n in numbers]


def match(alice, node, *more: str, code: int = 0):
    return cosight(alice, "match", "bob", *DELTA, "--address", node.address, *more, code=code)


def kept(home) -> list[str]:
    names = [file.name for file in (home.path / "epochs").iterdir()]
    return sorted(name.split(".")[3] for name in names if not name.startswith("answers."))


@pytest.fixture
def days(homes):
    """Both hold 300, and share 150."""
    alice, bob = homes
    import_values(alice, domains(*range(300)))
    import_values(bob, domains(*range(150, 450)))
    return alice, bob


def test_day_on_day(days):
    alice, bob = days
    with serve(bob) as node:
        first = match(alice, node)
        assert first["delta"] is None
        assert values(first) == set(domains(*range(150, 300)))
        import_values(alice, domains(*range(10, 310)))
        import_values(bob, domains(*range(165, 465)))
        second = match(alice, node)
        assert second["delta"] == {"base": first["session"], "new_ours": 32, "new_peer": 32}
        assert values(second) == set(domains(*range(165, 310)))
        assert sum(second["bytes"].values()) < 0.3 * sum(first["bytes"].values())
        assert kept(alice) == [second["session"]]
        assert kept(bob) == sorted([first["session"], second["session"]])
        third = match(alice, node)
        assert third["delta"]["base"] == second["session"]
        assert values(third) == values(second)
    charged = [e.what["at_stake"] for e in entries(bob) if e.kind == "disclosed"]
    assert charged == [300, 64, 64]
    assert not any(
        value.encode() in file.read_bytes()
        for home in days
        for file in (home.path / "epochs").iterdir()
        for value in domains(200, 305)
    )


def test_a_lost_or_damaged_state_costs_a_whole_run_and_nothing_else(days):
    alice, bob = days
    with serve(bob) as node:
        match(alice, node)
        for file in (bob.path / "epochs").iterdir():
            file.unlink()
        again = match(alice, node)
        assert again["delta"] is None
        assert values(again) == set(domains(*range(150, 300)))
        refused = [e for e in entries(bob) if e.kind == "refused"]
        assert [e.what["reason"] for e in refused] == ["state-unknown"]
        assert story(alice, refused[0].session) == [("intent", ""), ("aborted", "state-unknown")]

        for file in (bob.path / "epochs").iterdir():
            file.write_bytes(file.read_bytes()[:-1] + b"\0")
        assert match(alice, node)["delta"] is None
        assert match(alice, node)["delta"] is not None

        (file,) = (alice.path / "epochs").iterdir()
        file.write_bytes(file.read_bytes()[:-1] + b"\0")
        said = match(alice, node, code=1)
        assert said["error"]["code"] == "store"
        assert "damaged" in said["error"]["message"]
        last = match(alice, node)
        assert last["delta"] is None
        assert values(last) == set(domains(*range(150, 300)))


def test_the_auditor_accepts_what_was_so_and_finds_a_charge_that_was_not(days, tmp_path):
    alice, bob = days
    with serve(bob) as node:
        sessions = [match(alice, node)["session"] for _ in range(3)]
    folders = [tmp_path / "exports" / home.member for home in days]
    for home, folder in zip(days, folders, strict=True):
        cosight(home, "ledger", "export", str(folder))
    checked = homeless("verify", *map(str, folders))
    assert (checked["ok"], checked["sessions"], checked["problems"]) == (True, 6, [])
    assert reference.audit({folder.name: read(folder) for folder in folders}) == []

    def cheaper(leaves: list[Leaf]) -> list[Leaf]:
        return [
            replace(leaf, fields=leaf.fields | {"what": dict(leaf.what) | {"at_stake": 1}})
            if leaf.session == sessions[2] and "at_stake" in leaf.what
            else leaf
            for leaf in leaves
        ]

    def without_base(leaves: list[Leaf]) -> list[Leaf]:
        return [leaf for leaf in leaves if leaf.session != sessions[1]]

    key = node_keys(bob).log
    for forge, what in ((cheaper, "puts at stake"), (without_base, "not in the log before it")):
        forged = {"bob": rewritten(read(folders[1]), key, forge)}
        problems = audit(forged).problems
        assert any(what in problem.what for problem in problems), problems
        assert reference.audit(forged)[0].seq == problems[0].seq


def test_a_policy_that_does_not_list_it_is_obeyed(days):
    alice, bob = days
    allowing = bob.policy_file.read_text()
    bob.policy_file.write_text(allowing.replace('"voprf-epoch", ', ""))
    assert bob.policy_file.read_text() != allowing
    with serve(bob) as node:
        assert match(alice, node, code=1)["error"]["code"] == "policy-refused"
    assert not (bob.path / "epochs").exists()


def test_any_indicator_matches_as_with_a_whole_run(homes):
    alice, bob = homes
    import_values(alice, feed(*range(1, 41)))
    import_values(bob, feed(*range(31, 81)))
    with serve(bob) as node:
        whole = cosight(alice, "match", "bob", "--protocol", "voprf", "--address", node.address)
        found = [match(alice, node) for _ in range(2)]
    assert [f["delta"] is None for f in found] == [True, False]
    assert values(found[0]) == values(found[1]) == values(whole)
