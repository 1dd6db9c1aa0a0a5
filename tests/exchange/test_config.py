"""The home: its configuration refused in words, its files written whole and kept from others."""

import multiprocessing
import os

import pytest

from exchange import config
from exchange.config import Home, Limits, make_folder
from exchange.errors import ConfigError

KEYS = {name: name.encode() for name in config.NODE_KEYS}


@pytest.fixture
def home(tmp_path):
    return Home.init(tmp_path / "home", "acme", keys=KEYS)


def configured(home, text):
    home.config_file.write_text(text)
    return Home.open(home.path)


def refused(home, text, why):
    with pytest.raises(ConfigError, match=why) as caught:
        configured(home, text)
    assert str(home.config_file) in str(caught.value)


def test_a_new_home_is_whole_and_private(home):
    again = Home.open(home.path)
    assert again == home
    assert again.member == "acme"
    assert again.keys() == KEYS
    assert again.settings.limits == Limits()
    assert again.store_url == f"sqlite:///{home.path}/store.db"
    modes = {p.relative_to(home.path).as_posix(): p.stat().st_mode & 0o777 for p in home.path.rglob("*")}
    assert modes == {
        "config.toml": 0o600, "keys": 0o700, "rosters": 0o700,
        "keys/identity.pem": 0o600, "keys/log.pem": 0o600, "keys/ca.pem": 0o600,
    }  # fmt: skip
    assert home.path.stat().st_mode & 0o777 == 0o700


def test_a_home_is_made_once(home):
    before = home.config_file.read_bytes()
    with pytest.raises(ConfigError) as caught:
        Home.init(home.path, "globex", keys=KEYS)
    assert caught.value.code == "home-exists"
    assert home.config_file.read_bytes() == before


def test_keys_that_are_there_are_never_overwritten(home):
    home.config_file.unlink()
    with pytest.raises(ConfigError, match="exists") as caught:
        Home.init(home.path, "globex", keys=dict.fromkeys(KEYS, b"other"))
    assert caught.value.code == "home-exists"
    assert home.keys() == KEYS


def test_a_home_needs_all_keys(tmp_path):
    with pytest.raises(ConfigError, match="log"):
        Home.init(tmp_path, "acme", keys={"identity": b"", "ca": b""})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", "a.b", "a" * 41, "ä", "a\n"])
def test_a_member_id_is_a_dns_label(tmp_path, name):
    with pytest.raises(ConfigError, match="DNS label"):
        Home.init(tmp_path, name, keys=KEYS)


@pytest.mark.parametrize("name", ["a", "0", "a-b", "a" * 40, "a--b"])
def test_a_dns_label_is_a_member_id(name):
    assert config.is_member_id(name)


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("127.0.0.1:0", True), ("acme.example:7443", True), ("[::]:7443", True), ("a:65535", True),
        ("a", False), (":1", False), ("a:", False), ("a:65536", False), ("::1:80", False), ("a b:1", False),
        ("a:1\n", False), ("a:\u0661", False), ("http://a:1", False), ("[a.b]:x", False),
    ],
)  # fmt: skip
def test_an_address_is_host_and_port(address, good):
    assert config.is_address(address) is good


def test_where_there_is_no_home_the_operator_is_told_what_to_do(tmp_path):
    with pytest.raises(ConfigError) as caught:
        Home.open(tmp_path / "none")
    assert caught.value.code == "no-home"
    assert caught.value.hint == "run: cosight init --member NAME"


def test_everything_can_be_set(home):
    settings = configured(
        home,
        'member = "acme"\nlisten = "[::]:1"\nstore = "postgresql://u:secret@h/d"\n'
        '[peers]\nglobex = "10.0.0.2:7443"\n'
        "[limits]\ndeadline_s = 1\nidle_s = 2\nmax_rows = 3\nmax_sessions = 4\nmax_sessions_per_peer = 5\n"
        "max_context_mib = 8\nmax_discovery_mib = 9\nepoch_days = 6\nepoch_runs = 7\n",
    ).settings
    assert settings.listen == "[::]:1"
    assert settings.peers == {"globex": "10.0.0.2:7443"}
    assert settings.limits == Limits(1, 2, 3, 4, 5, 8, 9, 6, 7)
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "member is missing"),
        ('member = "A"', "member is not a lower-case DNS label"),
        ("member = 1", "member is not a text"),
        ("member = \n\n", "line 1"),
        ('member = "acme"\nlisten = "x"', "listen is not HOST:PORT"),
        ('member = "acme"\nlistn = "x:1"', r"unknown key listn \(known: member, listen"),
        ('member = "acme"\nlimits = 1', "limits is not a table"),
        ('member = "acme"\npeers = ["a"]', "peers is not a table"),
        ('member = "acme"\n[limits]\nrows = 1', r"unknown key limits.rows \(known: deadline_s"),
        ('member = "acme"\n[limits]\nmax_rows = true', "limits.max_rows is not a whole number"),
        ('member = "acme"\n[limits]\nmax_rows = 1.5', "limits.max_rows is not a whole number"),
        ('member = "acme"\n[limits]\nidle_s = 0', "limits.idle_s is not a positive number"),
        ('member = "acme"\n[limits]\nidle_s = 9999999999', "limits.idle_s is not a positive number"),
        ('member = "acme"\n[peers]\nGlobex = "a:1"', "peers.Globex is not a member id"),
        ('member = "acme"\n[peers]\nglobex = 7', "peers.globex is not HOST:PORT"),
        ('member = "acme"\n[peers]\nglobex = "a"', "peers.globex is not HOST:PORT"),
        ('member = "acme"\nwarning_lists = 1', "warning_lists is not a table"),
        ('member = "acme"\nexpiry = 30', "expiry is not a table"),
        ('member = "acme"\n[expiry]\nipv4 = 0', "expiry.ipv4 is not a number of days from 1"),
        ('member = "acme"\n[expiry]\nipv4 = true', "expiry.ipv4 is not a number of days"),
        ('member = "acme"\n[expiry]\nipv4 = "30 days"', "expiry.ipv4 is not a number of days"),
        (
            'member = "acme"\n[warning_lists]\nsinkholes = "ask"',
            "warning_lists.sinkholes is none of block, inf",
        ),
        ('member = "acme"\n[warning_lists]\nsinkholes = ["off"]', "warning_lists.sinkholes is none of block"),
    ],
)
def test_what_is_wrong_in_the_configuration_is_named(home, text, why):
    refused(home, text, why)


def test_a_configuration_that_is_no_text_is_refused(home):
    home.config_file.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="TOML"):
        Home.open(home.path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602, 0o777])
def test_a_key_that_others_can_touch_is_refused_with_the_remedy(home, mode):
    path = home.key_file("log")
    path.chmod(mode)
    with pytest.raises(ConfigError) as caught:
        home.keys()
    assert caught.value.code == "key-exposed"
    assert caught.value.hint == f"run: chmod 600 {path}"
    path.chmod(0o400)
    assert home.keys() == KEYS


def test_a_key_behind_a_link_is_judged_by_what_it_is(home, tmp_path):
    path, elsewhere = home.key_file("log"), tmp_path / "mounted"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert home.key("log") == b"log"
    elsewhere.chmod(0o644)
    with pytest.raises(ConfigError, match="others"):
        home.key("log")


def test_a_missing_key_is_named(home):
    home.key_file("ca").unlink()
    with pytest.raises(ConfigError, match=r"keys/ca\.pem") as caught:
        home.keys()
    assert "backup" in caught.value.hint


def test_a_file_too_large_is_not_read(home):
    home.key_file("ca").write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(ConfigError, match="larger"):
        home.key("ca")


def test_writing_replaces_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "file"
    config.write_atomic(path, b"old")
    config.write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        config.write_atomic(path, b"newer")
    with pytest.raises(ConfigError, match="No space left"):
        config.write_once(tmp_path / "other", b"x")
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_folder_is_made_once_for_its_owner_alone(tmp_path):
    for _ in range(2):
        make_folder(tmp_path / "a" / "b", parents=True)
    assert (tmp_path / "a" / "b").stat().st_mode & 0o077 == 0
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "file" / "b", tmp_path / "c" / "d"):
        with pytest.raises(ConfigError, match=f"cannot make {folder}") as caught:
            make_folder(folder, hint="choose another")
        assert caught.value.hint == "choose another"


def test_writing_where_it_cannot_be_written_is_named(tmp_path):
    for write in (config.write_atomic, config.write_once):
        with pytest.raises(ConfigError, match="cannot write"):
            write(tmp_path / "no" / "file", b"x")


def test_the_mode_does_not_depend_on_the_umask(tmp_path):
    old = os.umask(0)
    try:
        config.write_atomic(tmp_path / "a", b"")
        config.write_once(tmp_path / "b", b"")
    finally:
        os.umask(old)
    assert {p.stat().st_mode & 0o777 for p in tmp_path.iterdir()} == {0o600}


def test_writing_once_never_touches_what_is_there(tmp_path):
    path = tmp_path / "file"
    assert config.write_once(path, b"first")
    assert not config.write_once(path, b"second")
    assert path.read_bytes() == b"first"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def once(path, data, gate, answers):
    gate.wait()
    answers.put((config.write_once(path, data), data))


def test_of_several_processes_exactly_one_writes(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    gate, answers = spawn.Barrier(4), spawn.Queue()
    path = tmp_path / "file"
    processes = [spawn.Process(target=once, args=(path, bytes([n]) * 4096, gate, answers)) for n in range(4)]
    for process in processes:
        process.start()
    outcomes = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    (winner,) = [data for won, data in outcomes if won]
    assert path.read_bytes() == winner
