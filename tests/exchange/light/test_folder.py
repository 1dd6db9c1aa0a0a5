"""From a home to the one file, and from the file to the folder that belongs to it."""

import stat
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exchange.clock import utc_now
from exchange.config import Home, write_atomic
from exchange.errors import ConfigError, MembershipError
from exchange.identity.keys import NodeKeys
from exchange.identity.light import LightMember
from exchange.indicators import IndicatorType
from exchange.light import default_folder, light_policy, pack, unpack
from exchange.node import Node
from exchange.policy import parse
from exchange.store.alliance import Alliance
from exchange.store.policies import home_policy
from tests.e2e.nodes import members

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Home, ...]:
    return members(tmp_path, "acme", "globex")


@pytest.fixture
def light(homes: tuple[Home, ...]) -> LightMember:
    return pack(homes[1], utc_now())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_a_home_holds_goes_into_the_file(homes, light):
    home = homes[1]
    assert (light.member, light.pem) == ("globex", home.keys())
    assert light.policy == home.policy_file.read_text()
    chain = light.chain()
    assert chain.current == Alliance(home, light.keys, utc_now).current()


def test_a_home_whose_ledger_peers_have_seen_is_not_packed(homes):
    with Node(homes[1]) as node:
        node.load_policy()
    with pytest.raises(MembershipError) as e:
        pack(homes[1], utc_now())
    assert e.value.code == "light-ledger"


def test_the_folder_is_a_home_without_keys(light, tmp_path):
    folder = tmp_path / "state" / "deep"
    home = unpack(light, folder)
    assert home.keys() == light.pem
    assert "PRIVATE" not in repr(home)
    assert mode(folder) == mode(folder / "keys") == 0o700
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {
        "config.toml", "policy.toml", "000001.roster", "000002.roster",
    }  # fmt: skip
    with Node(home, items=None):
        pass
    kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert not any(pem.split(b"\n")[1] in kept for pem in light.pem.values())


def test_the_folders_policy_counts_once_it_is_there(light, tmp_path):
    home = unpack(light, tmp_path / "state")
    write_atomic(home.policy_file, b"version = 1\nrevision = 7\n")
    again = unpack(replace(light, policy="version = 1\nrevision = 8\n"), tmp_path / "state")
    assert home_policy(again)[1].revision == 7


def test_addresses_of_the_file_are_in_the_configuration(light, tmp_path):
    home = unpack(replace(light, peers={"acme": "[::1]:7443"}), tmp_path / "state")
    assert home.settings.peers == {"acme": "[::1]:7443"}


def test_newer_rosters_of_the_file_are_taken_up_and_older_ones_change_nothing(homes, light, tmp_path):
    first = replace(light, rosters=light.rosters[:2])
    unpack(light, tmp_path / "state")
    home = unpack(first, tmp_path / "state")
    assert Alliance(home, light.keys, utc_now).current().epoch == light.chain().current.epoch


def test_nobody_asks_before_the_approval_or_with_other_keys(light, tmp_path):
    with pytest.raises(MembershipError) as e:
        unpack(replace(light, rosters=light.rosters[:1]), tmp_path / "state")
    assert (e.value.code, "light join" in e.value.hint) == ("not-a-member", True)
    with pytest.raises(MembershipError) as e:
        unpack(replace(light, pem=NodeKeys.generate().to_pem()), tmp_path / "state")
    assert e.value.code == "key-mismatch"
    assert not (tmp_path / "state").exists()


def test_the_folder_of_another_member_is_not_used(homes, light, tmp_path):
    unpack(light, tmp_path / "state")
    with pytest.raises(ConfigError, match="belongs to globex"):
        unpack(pack(homes[0], utc_now()), tmp_path / "state")


def test_a_folder_that_others_can_enter_is_not_used(light, tmp_path):
    unpack(light, tmp_path / "state")
    (tmp_path / "state").chmod(0o755)
    with pytest.raises(ConfigError) as e:
        unpack(light, tmp_path / "state")
    assert e.value.code == "key-exposed"


def test_the_folder_follows_from_the_member_alone(light, homes, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    folder = default_folder(light)
    assert folder.parent == tmp_path / "xdg" / "cosight" / "light"
    assert default_folder(replace(light, rosters=light.rosters[:1], policy="", peers={})) == folder
    assert default_folder(pack(homes[0], utc_now())) != folder
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert default_folder(light).is_relative_to(Path("~/.local/state").expanduser())


def test_several_may_unpack_at_once(light, tmp_path):
    failed = []

    def run() -> None:
        try:
            unpack(light, tmp_path / "state")
        except Exception as e:  # noqa: BLE001
            failed.append(e)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_the_policy_of_a_light_member_asks_and_answers_nobody():
    policy = parse(light_policy('our "own" network = [x]'))
    (terms,) = policy.peers.values()
    assert {str(direction) for direction in terms.directions} == {"initiator"}
    assert set(terms.types) == set(IndicatorType)
