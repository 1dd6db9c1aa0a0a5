"""``ledger export`` and ``verify``: a folder for an auditor, checked where there is no home and no key."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from exchange.config import Home
from tests.cli.command import cosight
from tests.e2e.nodes import import_values, members, serve


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What alice and bob export after a session and a report."""
    folder = tmp_path_factory.mktemp("members")
    alice, bob = members(folder, "alice", "bob")
    import_values(alice, ["8.8.8.3"])
    with serve(bob) as served:
        assert cosight("match", "bob", "--address", served.address, home=alice.path).code == 0
    assert cosight("report", "--peer", "bob", home=alice.path).code == 0
    return _export(alice, folder / "a"), _export(bob, folder / "b")


def _export(home: Home, folder: Path) -> Path:
    done = cosight("ledger", "export", str(folder), "--json", home=home.path)
    assert done.code == 0
    assert done.json["log"].endswith(f"/{home.member}")
    assert done.json["leaves"] > 4
    assert done.json["files"] == sum(path.is_file() for path in folder.rglob("*"))
    return folder


def test_both_verify_without_home_and_key(exports: tuple[Path, Path]) -> None:
    done = cosight("verify", *map(str, exports), "--json")
    assert done.code == 0
    assert done.json["ok"] is True
    assert (done.json["sessions"], done.json["receipts"]) == (2, 2)
    assert [done.json[key] for key in ("runs", "discoveries", "tallies", "signers")] == [0, 0, 0, []]
    assert done.json["problems"] == done.json["warnings"] == []
    assert [one["member"] for one in done.json["exports"]] == ["alice", "bob"]
    assert done.json["leaves"] == sum(one["leaves"] for one in done.json["exports"])
    for_people = cosight("verify", *map(str, exports))
    assert for_people.code == 0
    assert "verified" in for_people.out
    first = done.json["exports"][0]["genesis"]
    assert first in for_people.out
    alice = exports[0].parent / "alice"
    assert cosight("alliance", "roster", "--json", home=alice).json["first_roster"] == first
    assert f"first roster  {first}\n" in cosight("alliance", "roster", home=alice).out


def test_a_home_is_no_export_and_what_to_run_instead_is_said(tmp_path: Path) -> None:
    (home,) = members(tmp_path, "alice")
    error = cosight("verify", home.path, "--json").error
    assert error["code"] == "no-export"
    assert "is the home of a node" in error["message"]
    assert f"cosight ledger verify --home {home.path};" in error["hint"]
    assert f"cosight ledger export DIR --home {home.path}" in error["hint"]


def test_a_byte_that_was_changed(exports: tuple[Path, Path], tmp_path: Path) -> None:
    for path in exports[0].rglob("*"):
        target = tmp_path / path.relative_to(exports[0])
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    (tmp_path / "leaves").write_bytes((exports[0] / "leaves").read_bytes().replace(b"bob", b"eve", 1))
    done = cosight("verify", str(tmp_path), str(exports[1]), "--json")
    assert done.code == 1
    assert done.json["ok"] is False
    first = done.json["problems"][0]
    assert first.keys() == {"folder", "file", "seq", "what"}
    assert (first["folder"], first["file"]) == (str(tmp_path), "leaves")
    assert isinstance(first["seq"], int)
    for_people = cosight("verify", str(tmp_path))
    assert for_people.code == 1
    assert f"{tmp_path}/leaves, entry {first['seq']}" in for_people.out.replace("\n", "")
    assert "does not verify" in for_people.out


def test_a_folder_that_is_there_is_not_touched(pair: tuple[Home, ...], tmp_path: Path) -> None:
    home, full = pair[0], tmp_path / "full"
    empty = cosight("ledger", "export", str(full), "--json", home=home.path)
    assert (empty.code, empty.error["code"]) == (1, "ledger")  # there is no ledger before the first session
    full.mkdir()
    (full / "note").write_text("mine")
    assert cosight("policy", "quarantine", "bob", "--json", home=home.path).code == 0
    refused = cosight("ledger", "export", str(full), "--json", home=home.path)
    assert (refused.code, refused.error["code"]) == (1, "export-exists")
    assert [path.name for path in full.iterdir()] == ["note"]


def test_what_is_no_export(tmp_path: Path) -> None:
    missing = cosight("verify", str(tmp_path / "none"), "--json")
    assert (missing.code, missing.error["code"]) == (1, "no-export")
    empty = cosight("verify", str(tmp_path), "--json")
    assert empty.code == 1
    assert (empty.json["problems"][0]["file"], empty.json["leaves"]) == ("MANIFEST", 0)


def test_verifying_opens_no_socket_and_writes_nothing(exports: tuple[Path, Path], tmp_path: Path) -> None:
    """In a process of its own, which ends at the first attempt."""
    program = (
        "import sys\n"
        "def hook(event, args):\n"
        "    writes = event == 'open' and isinstance(args[1], str) and set(args[1]) & set('wax+')\n"
        "    if event.startswith('socket.') or writes:\n"
        "        sys.stderr.write(f'{event} {args}'); sys.stderr.flush()\n"
        "        import os; os._exit(9)\n"
        "from exchange.cli import main\n"
        "import exchange.cli.verify\n"
        "sys.addaudithook(hook)\n"
        "main(sys.argv[1:])\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", program, "verify", *map(str, exports), "--json"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "COSIGHT_HOME": str(tmp_path / "no")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert '"ok": true' in done.stdout
    assert list(tmp_path.iterdir()) == []
