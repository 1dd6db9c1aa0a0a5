"""``warninglists``: lists are added, set, removed and asked, and what the node holds follows at once."""

import gzip
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from exchange.config import Home
from exchange.errors import ConfigError, InputError
from exchange.indicators.warninglists import Mode
from exchange.store import warninglists
from exchange.store.warninglists import add_lists, node_lists, remove_list, set_modes
from tests.cli.command import cosight
from tests.cli.test_contract import feed, holds


def write(path: Path, *entries: str, **fields: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"name": "Ours", "type": "hostname", "list": entries} | fields))
    return path


def in_a_match(home: Path) -> dict[str, int]:
    found: dict[str, int] = cosight("indicators", "--json", home=home).json["in_a_match"]
    return found


def modes(home: Path) -> dict[str, str]:
    found = cosight("warninglists", "list", "--json", home=home).json["lists"]
    return {one["name"]: one["mode"] for one in found}


def test_lists_are_shown(lone: Path) -> None:
    shown = holds("warninglists list", cosight("warninglists", "list", "--json", home=lone))
    resolvers = next(one for one in shown["lists"] if one["name"] == "public-dns-v4")
    assert resolvers == {
        "name": "public-dns-v4", "title": "List of known IPv4 public DNS resolvers", "version": 20240615,
        "type": "cidr", "entries": 62_745, "applies_to": ["cidr", "ipv4", "ipv6", "url-host"],
        "mode": "block", "default": "block", "origin": "shipped",
    }  # fmt: skip
    for_people = cosight("warninglists", "list", home=lone)
    assert "public-dns-v4" in for_people.out
    assert "62,745" in for_people.out
    assert len(for_people.out.splitlines()) == len(shown["lists"]) + 1


def test_values_are_checked(lone: Path) -> None:
    values = ["8[.]8[.]8[.]8", "hxxps://bit[.]ly/x", "evil-names.net", "10.0.0.1"]
    found = holds("warninglists check", cosight("warninglists", "check", *values, "--json", home=lone))
    assert [(v["value"], v["type"], v["follows"], v["reason"]) for v in found["values"]] == [
        ("8.8.8.8", "ipv4", "blocked", None),
        ("https://bit.ly/x", "url", "noted", None),
        ("evil-names.net", "domain", "clear", None),
        ("10.0.0.1", None, "refused", "not-global"),
    ]
    assert found["values"][0]["lists"] == [{"list": "public-dns-v4", "mode": "block"}]
    for_people = cosight("warninglists", "check", *values, home=lone).out.splitlines()
    assert for_people[0] == "8.8.8.8  blocked: on public-dns-v4 (block)"
    assert for_people[2:] == ["evil-names.net  clear", "10.0.0.1  refused: not-global"]


def test_what_we_hold_follows_every_change(lone: Path, tmp_path: Path) -> None:
    values = feed(tmp_path / "feed.txt", "www.ours.example.org", "evil.example.net", "9.9.9.9")
    assert cosight("import", values, home=lone).code == 0
    ours = write(tmp_path / "our-names.json", "ours.example.org")

    added = holds("warninglists add", cosight("warninglists", "add", ours, "--json", home=lone))
    assert [(one["name"], one["mode"], one["origin"]) for one in added["lists"]] == [
        ("our-names", "inform", "ours")
    ]
    assert added["informed"]["our-names"] == 1
    assert in_a_match(lone) == {"domain": 2}, "9.9.9.9 is a public resolver"

    done = cosight("warninglists", "set", "our-names", "block", "--json", home=lone)
    assert holds("warninglists add", done)["blocked"] == {"our-names": 1, "public-dns-v4": 1}
    assert in_a_match(lone) == {"domain": 1}

    assert cosight("warninglists", "set", "public-dns-v4", "off", home=lone).code == 0
    assert in_a_match(lone) == {"domain": 1, "ipv4": 1}

    done = cosight("warninglists", "remove", "our-names", "--json", home=lone)
    assert holds("warninglists add", done)["blocked"] == {}
    assert in_a_match(lone) == {"domain": 2, "ipv4": 1}
    assert modes(lone)["public-dns-v4"] == "off"


def test_people_see_what_changed(lone: Path, tmp_path: Path) -> None:
    assert cosight("import", feed(tmp_path / "feed.txt", "8.8.8.8"), home=lone).code == 0
    ours = write(tmp_path / "our-names.json", "ours.example.org")
    done = cosight("warninglists", "add", ours, "--mode", "block", home=lone)
    assert done.out.splitlines() == [
        "our-names: block, 1 entry",
        "of what we hold, 1 blocked, 0 noted; an indicator on several lists counts for each",
    ]
    assert modes(lone)["our-names"] == "block"


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        (["set", "gone", "off"], "config", "there is no warning list 'gone'"),
        (["remove", "gone"], "config", "there is no warning list 'gone'"),
        (["remove", "sinkholes"], "config", "cosight warninglists set sinkholes off"),
        (["add", "gone.json"], "input", "gone.json cannot be read"),
        (["add", "bad.json"], "input", "bad.json, line 1, column 10"),
        (["add", "empty"], "input", "empty holds no warning list"),
    ],
)
def test_what_cannot_be_done_is_said(lone: Path, command: list[str], code: str, says: str) -> None:
    Path("bad.json").write_text('{"name": ')
    Path("empty").mkdir()
    error = cosight("warninglists", *command, "--json", home=lone).error
    assert error["code"] == code
    assert says in error["message"] + error["hint"]


def test_a_mode_is_one_of_three(lone: Path) -> None:
    done = cosight("warninglists", "set", "sinkholes", "maybe", "--json", home=lone)
    assert (done.code, done.error["code"]) == (2, "usage")


def test_a_slip_in_the_configuration_stops_what_relies_on_it(lone: Path) -> None:
    with (lone / "config.toml").open("a") as file:
        file.write('[warning_lists]\nsinkhole = "block"\n')
    error = cosight("warninglists", "list", "--json", home=lone).error
    assert "there is no warning list 'sinkhole'" in error["message"]
    assert "[warning_lists] in config.toml" in error["hint"]


def test_a_folder_is_added_whole_or_not_at_all(lone: Path, tmp_path: Path) -> None:
    home = Home.open(lone)
    write(tmp_path / "misp/lists/vpn/list.json", "vpn.example.org")
    write(tmp_path / "misp/lists/aaa/list.json", "a.example.org")
    bad = write(tmp_path / "misp/lists/zzz/list.json", type="soundex")
    with pytest.raises(InputError, match="type is none of"):
        add_lists(home, tmp_path / "misp")
    assert not home.warning_lists.exists()
    bad.unlink()
    assert [one.name for one in add_lists(home, tmp_path / "misp")] == ["aaa", "vpn"]
    assert sorted(p.name for p in home.warning_lists.iterdir()) == ["aaa.json", "vpn.json"]
    assert home.warning_lists.stat().st_mode & 0o777 == 0o700
    assert (home.warning_lists / "vpn.json").stat().st_mode & 0o777 == 0o600


def test_a_newer_copy_takes_the_place_of_the_older(lone: Path, tmp_path: Path) -> None:
    home = Home.open(lone)
    plain = write(tmp_path / "vpn.json", "old.example.org")
    add_lists(home, plain)
    packed = tmp_path / "vpn.json.gz"
    packed.write_bytes(gzip.compress(write(plain, "new.example.org", version=2).read_bytes()))
    add_lists(home, packed)
    assert [p.name for p in home.warning_lists.iterdir()] == ["vpn.json.gz"]
    assert (home.warning_lists / "vpn.json.gz").read_bytes() == packed.read_bytes()
    assert {one.name: one.version for one in node_lists(home)}["vpn"] == 2


def test_a_shipped_list_comes_back_with_its_mode(lone: Path, tmp_path: Path) -> None:
    home = Home.open(lone)
    add_lists(home, write(tmp_path / "sinkholes.json", "8.8.8.8", type="cidr"))
    set_modes(home, ["sinkholes"], Mode.INFORM)
    assert {one.name: one.size for one in node_lists(Home.open(lone))}["sinkholes"] == 1
    remove_list(Home.open(lone), "sinkholes")
    again = node_lists(Home.open(lone))
    assert {one.name: one.size for one in again}["sinkholes"] == 107
    assert again.modes["sinkholes"] is Mode.INFORM


CONFIGS = [
    "",
    "[peers]\n",
    '[warning_lists]\nsinkholes = "off"\n',
    '[warning_lists]\n"sinkholes" = "off" # why\n\n[limits]\nmax_rows = 7\n',
    '[limits]\n\n  [ warning_lists ]  # ours\n# sinkholes = "off"\nmulticast = "off"\nsinkholes = "off"\n',
]


@pytest.mark.parametrize("config", CONFIGS)
def test_only_the_mode_changes_in_the_configuration(lone: Path, config: str) -> None:
    file = lone / "config.toml"
    file.write_text(f'# a comment\nmember = "lone"\n{config}')
    before = tomllib.loads(file.read_text())
    comments = [line for line in file.read_text().splitlines() if line.lstrip().startswith("#")]
    set_modes(Home.open(lone), ["sinkholes", "rfc1918"], Mode.INFORM)
    changed = {"sinkholes": "inform", "rfc1918": "inform"}
    wanted = before | {"warning_lists": before.get("warning_lists", {}) | changed}
    assert tomllib.loads(file.read_text()) == wanted
    assert [line for line in file.read_text().splitlines() if line.lstrip().startswith("#")] == comments
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "config",
    [
        'warning_lists = { sinkholes = "off" }\n',
        'warning_lists.sinkholes = "off"\n',
        'store = """\n[warning_lists]\n"""\n',
    ],
)
def test_a_configuration_that_cannot_be_edited_is_left_alone(lone: Path, config: str) -> None:
    file = lone / "config.toml"
    file.write_text(f'member = "lone"\n{config}')
    before = file.read_bytes()
    with pytest.raises(ConfigError, match="is written in a way that this cannot edit"):
        set_modes(Home.open(lone), ["sinkholes"], Mode.INFORM)
    assert file.read_bytes() == before


def test_a_name_with_dots_is_quoted(lone: Path, tmp_path: Path) -> None:
    add_lists(Home.open(lone), write(tmp_path / "ours.v2.json", "a.example.org"))
    set_modes(Home.open(lone), ["ours.v2"], Mode.BLOCK)
    assert node_lists(Home.open(lone)).modes["ours.v2"] is Mode.BLOCK
    remove_list(Home.open(lone), "ours.v2")
    assert "ours.v2" not in (lone / "config.toml").read_text()
    assert "ours.v2" not in node_lists(Home.open(lone)).modes


def test_a_full_disk_is_said(lone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(warninglists.Path, "mkdir", full)
    with pytest.raises(ConfigError, match="No space left"):
        add_lists(Home.open(lone), write_as_is(tmp_path / "vpn.json"))


def write_as_is(path: Path) -> Path:
    path.write_text('{"name": "Ours", "list": []}')
    return path
