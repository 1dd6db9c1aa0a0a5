"""A slow, obvious second verifier of exports, from ``docs/verifying.md`` and ``docs/ledger.md`` alone.

It shares no code with the first. It stops at the first thing that is wrong in an export, and holds only
exports that are right by themselves against each other. A test has both find the same.
"""

import base64
import re
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from io import BytesIO
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import cbor2

from tests.reference import accounts, runs
from tests.reference.ledger import (
    Export,
    Map,
    Wrong,
    decoded,
    in_order,
    member_in,
    need,
    reading,
    typed,
    verify,
    well_formed,
)

WHERE = re.compile(
    r"README.txt|leaves|checkpoints|rosters/\d{6}\.roster|documents/[0-9a-f]{64}|reports/[0-9a-f]{64}\.json"
)
OF_A_ROSTER = "version alliance epoch previous root_certificate quorum members revoked issued_at"


class Problem(NamedTuple):
    file: str
    seq: int | None
    text: str


def read(folder: Path) -> dict[str, bytes]:
    """The files of an export by their paths in it."""
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def audit(folders: dict[str, dict[str, bytes]]) -> list[Problem]:
    """What is wrong with these exports, the first thing first; the file behind the name of its folder."""
    problems, exports = [], {}
    for name, files in folders.items():
        try:
            exports[name] = one(files)
        except Wrong as wrong:
            file, seq, text = wrong.args
            problems.append(Problem(f"{name}/{file}", seq, text))
    for ours, theirs in permutations(exports, 2):
        try:
            accounts.against(exports[ours], exports[theirs])
        except Wrong as wrong:
            file, seq, text = wrong.args
            problems.append(Problem(f"{theirs}/{file}", seq, text))
    return problems


def one(files: dict[str, bytes]) -> Export:
    export = Export(files)
    for check in (manifest, rosters, leaves, *accounts.CHECKS):
        check(export)
    return export


def signature_in(note: str, origin: str, key: bytes) -> bytes:
    """The signature of a note of which everything else is as it must be."""
    line = note.rpartition("\n\n")[2]
    signature = base64.b64decode(line.removesuffix("\n").rpartition(" ")[2], validate=True)[4:]
    key_hash = sha256(origin.encode() + b"\n\x01" + key).digest()[:4]
    if line != f"— {origin} {base64.b64encode(key_hash + signature).decode()}\n":
        raise ValueError("not the line of this log's key")
    return signature


def manifest(export: Export) -> None:
    with reading("MANIFEST"):
        note = export.files["MANIFEST"].decode()
        text = note.rpartition("\n\n")[0] + "\n"
        version, export.origin, count, time, *listed = text.removesuffix("\n").split("\n")
        need(version == "cosight-export/v1" and typed("time", time), "its head", "MANIFEST")
        need(re.fullmatch("0|[1-9][0-9]*", count), "its count", "MANIFEST")
        files = {line[66:]: line[:64] for line in listed}
        need(listed == [f"{files[p]}  {p}" for p in sorted(files, key=str.encode)], "its lines", "MANIFEST")
        need(all(map(WHERE.fullmatch, files)), "a path of no export", "MANIFEST")
        key = log_key(export, files)
        verify(key, signature_in(note, export.origin, key), text.encode())
    for path in sorted({*files, *export.files} - {"MANIFEST"}, key=in_the_folder):
        need(path in files, "is not in the manifest", path)
        need(path in export.files, "is missing", path)
        need(sha256(export.files[path]).hexdigest() == files[path], "is not the file of the manifest", path)
    for path in ("checkpoints", "leaves", "rosters/000001.roster"):
        need(path in files, "is missing", path)


def in_the_folder(path: str) -> str:
    """By path, the checkpoints after the leaves that they are over."""
    return {"leaves": "~", "checkpoints": "~~"}.get(path, path)


def log_key(export: Export, listed: dict[str, str]) -> bytes:
    """The log key as the newest roster has it; as the log has it, where the roster is not the manifest's.

    Either may be what was altered, and so may the member's name, here and in the log: the member is who is in
    the roster.
    """
    names, key = [export.origin.split("/")[-1]], b""
    export.member = names[0]
    with suppress(Exception):
        opened = cbor2.loads(cbor2.load(BytesIO(export.files["leaves"])))
        names.append(opened["member"])
        key = bytes.fromhex(opened["log_key"])
    with suppress(Exception):
        newest = max(path for path in export.files if path.startswith("rosters/"))
        roster = decoded(decoded(export.files[newest])["roster"])
        known = {m["id"]: m["log_key"] for m in roster["members"] + roster["revoked"]}
        export.member = next(name for name in names if name in known)
        if sha256(export.files[newest]).hexdigest() == listed[newest]:
            return bytes(known[export.member])
    return key


def rosters(export: Export) -> None:
    paths = sorted(path for path in export.files if path.startswith("rosters/"))
    newest = paths[-1]
    for epoch, path in enumerate(paths, 1):
        need(path == f"rosters/{epoch:06}.roster", "an epoch before is missing", path)
        with reading(path):
            file = decoded(export.files[path], "roster", "signatures")
            roster = decoded(
                file["roster"], "version", "alliance", "epoch", "previous", "root_certificate", "quorum",
                "members", "revoked", "issued_at",
            )  # fmt: skip
            before = export.rosters[-1] if export.rosters else roster
            follows(export, before, roster, path)
            keys = {m["id"]: m["identity_key"] for m in before["members"] if m["role"] == "administrator"}
            signers = [signer for signer, _ in file["signatures"]]
            need(signers == sorted(set(signers)) and len(signers) >= before["quorum"] > 0, "no quorum", path)
            for signer, signature in file["signatures"]:
                verify(keys[signer], signature, b"cosight 2026 roster v1\x00" + file["roster"])
        export.rosters.append(roster)
        export.hashes.append(sha256(file["roster"]).digest())
    with reading(newest):
        member_in(export.rosters[-1], export.member)


def follows(export: Export, before: Map, roster: Map, path: str) -> None:
    previous = export.hashes[-1] if export.hashes else bytes(32)
    need(roster["previous"] == previous, "it does not follow", path)
    need((roster["version"], roster["epoch"]) == (1, len(export.hashes) + 1), "its version or epoch", path)
    for name in ("alliance", "root_certificate"):
        need(roster[name] == before[name], f"another {name}", path)
    need(roster["issued_at"] >= before["issued_at"], "it is older than the one before", path)
    everybody = roster["members"] + roster["revoked"]
    for name in ("id", "identity_key", "log_key"):
        need(len({m[name] for m in everybody}) == len(everybody), f"one {name} twice", path)
    for group in ("members", "revoked"):
        ids = [m["id"] for m in roster[group]]
        need(ids == sorted(ids), f"{group} out of order", path)
    for old in before["members"] + before["revoked"]:
        new = member_in(roster, old["id"])
        need(all(new[n] == old[n] for n in ("identity_key", "log_key")), "a key has changed", path)
        need(old not in before["revoked"] or new == old, "somebody is not revoked any more", path)


def leaves(export: Export) -> None:
    key = member_in(export.rosters[-1], export.member)["log_key"]
    pattern = r"[^\n]*\n[^\n]*\n[^\n]*\n\n[^\n]*\n"
    notes = re.findall(pattern, export.files["checkpoints"].decode(errors="replace"))
    origin, prev = "", "0" * 64
    peaks: list[tuple[int, bytes]] = []
    for seq, body in enumerate(bodies(export.files["leaves"])):
        with reading("leaves", seq):
            entry = decoded(body)
            need(len(body) <= 8192 and entry["seq"] == seq, "its length or number", seq=seq)
            well_formed(entry)
            order(export, entry)
            need(entry["prev"] == prev, "prev is not the note before", seq=seq)
            if entry["kind"] == "opened":
                need(entry["log_key"] == key.hex(), "not the key of the roster", seq=seq)
                origin = entry["origin"]
            if entry["kind"] == "roster":
                origin = f"cosight/{entry['alliance']}/{export.member}"
            export.origins.append(origin)
            export.roots.append(grown(peaks, body))
            text = f"{origin}\n{seq + 1}\n{base64.b64encode(export.roots[-1]).decode()}\n"
            need(notes[seq].startswith(text + "\n"), "not the note of this tree", seq=seq)
            signature = signature_in(notes[seq], origin, key)
        export.entries.append(entry)
        export.bodies.append(body)
        prev = sha256(notes[seq].encode()).hexdigest()
    count = len(export.entries)
    listed = export.files["MANIFEST"].decode().split("\n")[1:3]
    need(listed[1] == str(count), "another number of entries than in the manifest", seq=count)
    need(listed[0] == origin, "another log than in the manifest", "MANIFEST")
    with reading("leaves", count - 1):
        verify(key, signature, text.encode())
    need("".join(notes[:count]).encode() == export.files["checkpoints"], "more than notes", "checkpoints")


def bodies(data: bytes) -> Iterator[bytes]:
    """The byte strings of the sequence, each in its shortest form."""
    at = seq = 0
    while at < len(data):
        width = {24: 1, 25: 2}.get(data[at] & 31, 0)
        size = int.from_bytes(data[at + 1 : at + 1 + width]) if width else data[at] & 31
        body = data[at + 1 + width :][:size]
        end = at + 1 + width + size
        need(data[at:end] == cbor2.dumps(body), "not a byte string in its shortest form", seq=seq)
        yield body
        at, seq = end, seq + 1


def grown(peaks: list[tuple[int, bytes]], body: bytes) -> bytes:
    """Add a leaf to the perfect trees that the tree falls into, and give its root."""
    size, node = 1, sha256(b"\x00" + body).digest()
    while peaks and peaks[-1][0] == size:
        size, node = 2 * size, sha256(b"\x01" + peaks.pop()[1] + node).digest()
    peaks.append((size, node))
    for _, left in reversed(peaks[:-1]):
        node = sha256(b"\x01" + left + node).digest()
    return node


def order(export: Export, entry: Map) -> None:
    """The rules of order, held against the entries before."""
    kind, seq, alliance = entry["kind"], entry["seq"], export.rosters[0]["alliance"]
    before = [e for e in export.entries if e["kind"] == kind]
    need((kind == "opened") == (seq == 0), "opened is the first and no other", seq=seq)
    if kind == "opened":
        names = {f"cosight/{export.member}", f"cosight/{alliance}/{export.member}"}
        need(entry["member"] == export.member and entry["origin"] in names, "another member", seq=seq)
    if kind == "roster":
        rising = all(e["epoch"] < entry["epoch"] for e in before)
        need(entry["alliance"] == alliance and rising, "its alliance or epoch", seq=seq)
    if kind == "commitment":
        need(entry["what"]["epoch"] == len(before) + 1, "the epoch of our set", seq=seq)
    if kind in runs.RUNS:
        runs.order(export, entry)
    elif "session" in entry:
        in_order(export.sessions.setdefault(entry["session"], {}), entry)
