"""Joining by files, and an alliance with several administrators, from the command line alone."""

import re
import stat
from pathlib import Path

import pytest

from tests.cli.command import Done, cosight
from tests.cli.test_contract import holds

FINGERPRINT = re.compile(r"(?:[0-9a-f]{4} ){7}[0-9a-f]{4}")


class Company:
    """One company's commands; all of them exchange files in the working directory, as if by mail."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.home = name, folder / name
        assert self("init", "--member", name).code == 0

    def __call__(self, *arguments: str) -> Done:
        return cosight(*arguments, home=self.home)

    def alliance(self, *arguments: str) -> Done:
        done = self("alliance", *arguments)
        assert done.code == 0, done
        return done

    def epoch(self) -> int:
        epoch: int = self("alliance", "roster", "--json").json["epoch"]
        return epoch


@pytest.fixture
def companies(tmp_path: Path) -> tuple[Company, ...]:
    """Three of one alliance: acme founded it."""
    acme, globex, initech = (Company(name, tmp_path) for name in ("acme", "globex", "initech"))
    acme.alliance("create", "threats.example")
    for newcomer in (globex, initech):
        acme.alliance("invite", "--member", newcomer.name)
        newcomer.alliance("join", "invitation.cosight", "--yes")
        acme.alliance("approve", "join-request.cosight", "--yes")
        newcomer.alliance("join", "approval.cosight")
    globex.alliance("join", "approval.cosight")
    return acme, globex, initech


def test_each_step_of_joining_in_json(tmp_path: Path) -> None:
    acme, globex = Company("acme", tmp_path), Company("globex", tmp_path)
    founded = holds("alliance roster", acme("alliance", "create", "threats.example", "--json"))
    invited = holds("alliance invite", acme("alliance", "invite", "--json"))
    asked = acme("alliance", "approve", "invitation.cosight", "--json")
    assert asked.error["code"] == "file-kind"
    join = ["alliance", "join", "invitation.cosight", "--address", "127.0.0.1:7443", "--json"]
    unseen = globex(*join)
    assert unseen.error["code"] == "unconfirmed"
    assert invited["fingerprint"] in unseen.error["message"]
    assert not Path("join-request.cosight").exists(), "nothing is trusted before somebody looked"
    joined = holds("alliance join", globex(*join, "--yes"))
    assert joined["alliance_fingerprint"] == invited["fingerprint"] == founded["fingerprint"]

    unseen = acme("alliance", "approve", "join-request.cosight", "--json")
    assert unseen.error["code"] == "unconfirmed"
    assert joined["fingerprint"] in unseen.error["message"]
    assert acme.epoch() == 1
    approved = holds(
        "alliance approve", acme("alliance", "approve", "join-request.cosight", "--yes", "--json")
    )
    assert approved == {
        "file": "approval.cosight", "epoch": 2, "in_force": True, "missing_signatures": 0,
    }  # fmt: skip
    there = holds("alliance roster", globex("alliance", "join", "approval.cosight", "--json"))
    assert there == holds("alliance roster", acme("alliance", "roster", "--json"))
    assert {m["member"]: m["fingerprint"] for m in there["members"]}["globex"] == joined["fingerprint"]
    assert globex("alliance", "join", "invitation.cosight", "--yes", "--json").code == 0  # only a new request
    again = acme("alliance", "approve", "join-request.cosight", "--yes", "--json").error
    assert again["code"] == "member-taken"


def test_the_root_key_is_private_and_never_overwritten(tmp_path: Path) -> None:
    acme = Company("acme", tmp_path)
    acme.alliance("create", "threats.example")
    root = acme.home / "keys" / "root.pem"
    before = root.read_bytes()
    assert stat.S_IMODE(root.stat().st_mode) == 0o600
    assert acme("alliance", "create", "other.example", "--json").error["code"] == "alliance-exists"
    assert root.read_bytes() == before
    for roster in (acme.home / "rosters").iterdir():
        roster.unlink()
    assert acme("alliance", "create", "other.example", "--json").error["code"] == "alliance-exists"
    assert root.read_bytes() == before


def test_a_quorum_of_two_signs_proposals(companies: tuple[Company, ...]) -> None:
    acme, globex, initech = companies
    changed = acme("alliance", "change", "--admin", "globex", "--quorum", "2", "--yes", "--json")
    assert holds("alliance approve", changed)["in_force"] is True
    for other in (globex, initech):
        other.alliance("join", "approval.cosight")

    proposed = acme("alliance", "revoke", "initech", "--yes", "--json").json
    assert proposed == {
        "file": "proposal.cosight", "epoch": 5, "in_force": False, "missing_signatures": 1,
    }  # fmt: skip
    assert acme.epoch() == 4
    wrong = initech("alliance", "join", "proposal.cosight", "--json").error
    assert wrong["code"] == "file-kind"
    assert "cosight alliance approve" in wrong["hint"]
    assert initech("alliance", "approve", "proposal.cosight", "--yes", "--json").code == 1
    signed = globex.alliance("approve", "proposal.cosight", "--yes")
    assert "initech leaves" in signed.err
    assert "roster 5 is in force here" in signed.out
    acme.alliance("join", "approval.cosight")
    roster = acme("alliance", "roster", "--json").json
    assert [m["member"] for m in roster["members"]] == ["acme", "globex"]
    assert roster["revoked"] == [{"member": "initech", "epoch": 5}]
    assert "initech was revoked with roster 5" in acme("alliance", "roster").out
    assert (
        globex("alliance", "approve", "proposal.cosight", "--yes", "--json").error["code"] == "proposal-known"
    )


def test_addresses_and_certificates_change_without_the_member(companies: tuple[Company, ...]) -> None:
    acme, globex, _ = companies
    acme.alliance("change", "--address", "globex=cosight.globex.example:7443", "--yes")
    globex.alliance("join", "approval.cosight")
    members = globex("alliance", "roster", "--json").json["members"]
    assert {m["member"]: m["address"] for m in members}["globex"] == "cosight.globex.example:7443"
    acme.alliance("renew")
    globex.alliance("join", "approval.cosight")
    assert globex.epoch() == acme.epoch() == 5
    assert globex("alliance", "renew", "--json").error["code"] in {"no-root-key", "not-administrator"}
    wrong = acme("alliance", "change", "--address", "globex=nowhere", "--yes", "--json").error
    assert wrong["code"] == "membership"


def test_what_is_read_out_by_telephone_is_whole_on_its_line(companies: tuple[Company, ...]) -> None:
    acme, _, _ = companies
    shown = acme("alliance", "roster").out
    expected = acme("alliance", "roster", "--json").json
    fingerprints = [expected["fingerprint"], *(m["fingerprint"] for m in expected["members"])]
    assert [
        FINGERPRINT.search(line)[0] for line in shown.splitlines() if FINGERPRINT.search(line)
    ] == fingerprints
    invited = acme("alliance", "invite").out
    assert expected["fingerprint"] in invited
    umbra = Company("umbra", acme.home.parent)
    asked = umbra("alliance", "join", "invitation.cosight", "--yes")
    assert expected["fingerprint"] in asked.err
    assert FINGERPRINT.search(asked.out)[0] in acme.alliance("approve", "join-request.cosight", "--yes").err
    listed = acme("alliance", "roster", "--json").json["members"]
    assert listed[-1] == {
        "member": "umbra", "role": "member", "address": None, "fingerprint": FINGERPRINT.search(asked.out)[0],
    }  # fmt: skip


def test_a_founder_is_told_how_it_comes_to_have_an_address(tmp_path: Path) -> None:
    acme, globex = Company("acme", tmp_path), Company("globex", tmp_path)
    silent = acme("alliance", "create", "threats.example")
    assert "cosight alliance change --address acme=HOST:PORT" in silent.out
    acme.alliance("change", "--address", "acme=127.0.0.1:7443", "--yes")
    assert acme("alliance", "roster", "--json").json["members"][0]["address"] == "127.0.0.1:7443"
    told = globex("alliance", "create", "threats.example", "--address", "127.0.0.1:7444")
    assert "HOST:PORT" not in told.out
