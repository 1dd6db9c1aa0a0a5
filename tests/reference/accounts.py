"""What the entries of an export say, held against documents, receipts and each other. See ``audit.py``.

Of the decisions the budgets are made again, no more: sessions, values and share.
"""

import json
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from tests.reference import runs
from tests.reference.ledger import RESULTS, Export, Map, decoded, member_in, need, reading, verify

LABELS = {
    "agreement": b"cosight 2026 agreement v1\x00",
    "policy": b"cosight 2026 policy v1\x00",
    "digest": b"",
    "opening": b"cosight 2026 aggregate opening v1\x00",
    "tally": b"cosight 2026 aggregate tally v1\x00",
}
PART = ["outcome", "time", "size", "root"]
INITIATOR, RESPONDER = (f"cosight 2026 receipt {who} v1\x00".encode() for who in ("initiator", "responder"))
YEAR = timedelta(days=365)


def what(entry: Map | None) -> Map:
    return entry.get("what", {}) if entry else {}


def when(entry: Map) -> datetime:
    return datetime.fromisoformat(entry["time"])


def documents(export: Export) -> None:
    for path, body in export.files.items():
        if path.startswith("documents/"):
            names = {sha256(label + body).hexdigest() for label in LABELS.values()}
            need(path.removeprefix("documents/") in names, "it does not hash to its name", path)
    policies: set[str] = set()
    for entry in export.entries:
        seq, inner = entry["seq"], what(entry)
        if entry["kind"] == "policy":
            policies.add(entry["policy"])
        if entry["kind"] == "intent":
            need(inner.get("policy") in policies, "no such policy came into force", seq=seq)
        if entry["kind"] == "roster":
            known = dict(enumerate(export.hashes, 1)).get(entry["epoch"], b"").hex()
            need(entry["roster"] == known, "another roster than in the export", seq=seq)
        for label, name in (
            (
                "policy",
                entry.get("policy") or (inner.get("policy") if entry["kind"] not in runs.RUNS else None),
            ),
            (
                "agreement",
                entry.get("agreement") if entry["kind"] in {"intent", "receipt", *RESULTS} else None,
            ),
            ("digest", inner.get("digest") if entry["kind"] == "alarm" else entry.get("key")),
        ):
            body = export.files.get(f"documents/{name}", b"")
            named = sha256(LABELS[label] + body).hexdigest() == name
            need(name is None or named, f"there is no {label} of this name", f"documents/{name}", seq)
        if "agreement" in entry and entry["kind"] in {"intent", *RESULTS}:
            with reading("leaves", seq):
                agreed(export, entry)


def agreed(export: Export, entry: Map) -> None:
    """Whether an agreement says what the intent says, seen from an entry that names it."""
    intent = export.sessions[entry["session"]]["intent"]
    inner, agreement = what(intent), export.document(entry["agreement"])
    us, peer = entry["direction"], "responder" if entry["direction"] == "initiator" else "initiator"
    sets = {
        bytes.fromhex(what(e)["root"]) for e in export.entries[: entry["seq"]] if e["kind"] == "commitment"
    }
    said = {
        us: export.member,
        peer: intent["peer"],
        "initiator_nonce": bytes.fromhex(intent["session"]),
        f"{us}_padded": inner["ours_padded"],
        f"{us}_policy": bytes.fromhex(inner["policy"]),
        f"{peer}_set": bytes.fromhex(inner.get("peer_set", "")),
    } | {name: inner[name] for name in ("rung", "output", "types", "protocol")}
    for name, value in said.items():
        need(agreement[name] == value, f"the agreement has another {name}", seq=entry["seq"])
    need(agreement[f"{us}_set"] in {b"", *sets}, "the agreement has another set of ours", seq=entry["seq"])
    roster = dict(enumerate(export.hashes, 1)).get(agreement["roster_epoch"])
    need(agreement["roster_hash"] == roster, "the agreement has another roster", seq=entry["seq"])


def seals(export: Export) -> None:
    made = [e for e in export.entries if e["kind"] == "seal"]
    for entry in made:
        seq, size = entry["seq"], what(entry)["size"]
        with reading("leaves", seq):
            need(entry["key"] == made[0]["key"], "another key than before", seq=seq)
            root = bytes.fromhex(what(entry)["root"])
            need(seq - 255 <= size <= seq and size and root == export.roots[size - 1], "another log", seq=seq)
            origin = export.origins[size - 1].encode()
            named = bytes([len(origin)]) + origin
            stamp = int(when(entry).timestamp()).to_bytes(8) + named + bytes(8) + size.to_bytes(8)
            key = MLDSA44PublicKey.from_public_bytes(export.files[f"documents/{entry['key']}"])
            key.verify(entry["seal"], b"subtree/v1\n\0" + named + stamp + root)


def receipts(export: Export) -> None:
    for entry in export.entries:
        seq, session = entry["seq"], export.sessions.get(entry.get("session", ""), {})
        after = entry["kind"] not in {"alarm", "report"} and "receipt" in session
        need(not after or seq <= session["receipt"]["seq"], "it comes after the receipt", seq=seq)
        if entry["kind"] == "receipt":
            with reading("leaves", seq):
                receipt(export, entry, session)


def receipt(export: Export, entry: Map, session: dict[str, Map]) -> None:
    seq, intent = entry["seq"], session["intent"]
    said = session.get("result", intent)
    said = said if said["seq"] < seq else intent
    initiator, first, responder, second = decoded(entry["receipt"])
    asked = decoded(initiator, *PART, "agreement", "transcript", "told", "peer_size", "peer_root")
    answered = decoded(responder, *PART)
    agreement = decoded(asked["agreement"])
    name = sha256(LABELS["agreement"] + asked["agreement"]).hexdigest()
    need(name == entry["agreement"] == said.get("agreement", name), "another agreement", seq=seq)
    members = export.rosters[agreement["roster_epoch"] - 1]["members"]
    keys = {m["id"]: m["identity_key"] for m in members}
    verify(keys[agreement["initiator"]], first, INITIATOR + initiator)
    verify(keys[agreement["responder"]], second, RESPONDER + sha256(initiator + first).digest() + responder)
    same = all(entry[n] == intent[n] for n in ("peer", "direction"))
    need(same and agreement[entry["direction"]] == export.member, "of another session", seq=seq)
    need(agreement["initiator_nonce"].hex() == entry["session"], "of another session", seq=seq)
    ours, theirs = (asked, answered) if entry["direction"] == "initiator" else (answered, asked)
    inner, size = what(said if said is not intent else None), said["seq"] + 1
    is_so = {"outcome": said["kind"], "time": said["time"], "size": size, "root": export.roots[size - 1]}
    is_so["outcome"] = {"intent": "open"}.get(said["kind"], said["kind"])
    if ours is asked:
        is_so["transcript"] = bytes.fromhex(inner.get("transcript", "0" * 64))
        is_so["told"] = inner.get("told")
        is_so["peer_size"], is_so["peer_root"] = (what(intent).get(n) for n in ("log_size", "log_root"))
        is_so["peer_root"] = bytes.fromhex(is_so["peer_root"])
    for name, value in is_so.items():
        need(ours[name] == value, f"it states another {name}", seq=seq)
    shown = {"log_size": theirs["size"], "log_root": theirs["root"].hex()}
    need(what(entry) == shown, "another log of the peer beside it", seq=seq)
    if ours is answered:
        told_us(export, asked, inner, seq)


def told_us(export: Export, asked: Map, inner: Map, seq: int) -> None:
    """What the initiator's part says to us, the responder."""
    need(
        asked["peer_root"] == export.roots[asked["peer_size"] - 1], "it has seen another log of ours", seq=seq
    )
    need(asked["told"] is None or asked["told"] >= inner.get("matched", 0), "fewer than matched", seq=seq)
    if asked["outcome"] == "disclosed" and "transcript" in inner:
        need(asked["transcript"].hex() == inner["transcript"], "another transcript", seq=seq)


def witnesses(export: Export) -> None:
    logs: dict[str, list[tuple[int, str, datetime]]] = {}
    sets: dict[tuple[str, int], tuple[str, int]] = {}
    for entry in export.entries:
        inner, seq = what(entry), entry["seq"]
        with reading("leaves", seq):
            if {"log_size", "log_root"} & inner.keys():
                size, root, now = inner["log_size"], inner["log_root"], when(entry)
                for earlier, seen, then in logs.setdefault(entry["peer"], []):
                    need(earlier != size or seen == root, "two roots of one length", seq=seq)
                    need(earlier <= size or now - then <= timedelta(hours=1), "a shorter log", seq=seq)
                logs[entry["peer"]].append((size, root, now))
            if {"peer_epoch", "peer_set", "peer_set_padded"} & inner.keys():
                shown = inner["peer_set"], inner["peer_set_padded"]
                same = sets.setdefault((entry["peer"], inner["peer_epoch"]), shown) == shown
                need(same, "two sets of one epoch", seq=seq)


def decisions(export: Export) -> None:
    for session in export.sessions.values():
        intent = session.get("intent")
        if intent and (intent["direction"] == "responder" or "result" in session):
            with reading("leaves", intent["seq"]):
                within_budget(export, session, intent["seq"])


def within_budget(export: Export, session: dict[str, Map], seq: int) -> None:
    intent, now = session["intent"], when(session["intent"])
    peers = export.document(what(intent)["policy"])["peers"]
    terms = peers[intent["peer"]] if intent["peer"] in peers else peers["*"]
    before = []
    for other in export.sessions.values():
        known = {step: e for step, e in other.items() if e["seq"] < intent["seq"]}
        if "intent" in known and known["intent"]["peer"] == intent["peer"]:
            before.append(known)
    day = [s for s in before if now - when(s["intent"]) <= timedelta(days=1)]
    need(len(day) < terms["sessions_per_day"], "more sessions in a day than allowed", seq=seq)
    asks = guesses(export, session)
    for name, period in (("values_per_day", timedelta(days=1)), ("values_per_year", YEAR)):
        asked = sum(guesses(export, s) for s in before if now - when(s["intent"]) <= period)
        need(not asks or asked + asks <= terms.get(name, asked + asks), f"more {name} than allowed", seq=seq)
    ours = sum(what(intent).get("entered", {}).values()) + what(intent).get("canaries", 0)
    stake = min(ours, asks * 121 // 100 if what(intent)["protocol"] == "vole" else asks)
    stake = (new_rows(export, session) or stake) if asks else 0
    if stake and "share" in terms:
        since = timedelta(days=terms["share"]["days"])
        learned = sum(charge(s) for s in before if now - when(s["intent"]) <= since)
        need(learned + stake <= terms["share"]["most"] * ours, "more of our set than allowed", seq=seq)


def new_rows(export: Export, session: dict[str, Map]) -> int:
    """The new rows of both sides; 0 where a session goes on from none."""
    entry = session.get("result", session["intent"])
    if "agreement" not in entry:
        return 0
    agreement = export.document(entry["agreement"])
    return int(agreement["initiator_new"] + agreement["responder_new"])


def bases(export: Export) -> None:
    """A session goes on from one that was disclosed before, and is charged for what is new."""
    for entry in export.entries:
        if entry["kind"] not in {"intent", "disclosed", "aborted"} or "agreement" not in entry:
            continue
        seq = entry["seq"]
        with reading("leaves", seq):
            session, agreement = export.sessions[entry["session"]], export.document(entry["agreement"])
            if not agreement["base"]:
                continue
            base = export.sessions.get(agreement["base"].hex(), {})
            there = base.get("result", {"seq": seq, "kind": ""})
            need(there["seq"] < seq and there["kind"] == "disclosed", "it goes on from nothing", seq=seq)
            for name in ("peer", "direction"):
                need(base["intent"][name] == entry[name], f"another {name} than before", seq=seq)
            before = export.document(there["agreement"])
            for name in ("protocol", "rung", "types", "profile", "receiver"):
                need(before[name] == agreement[name], f"another {name} than before", seq=seq)
            charged = {agreement["initiator_new"] + agreement["responder_new"]}
            if entry["kind"] == "aborted" and what(entry).get("learned_by_peer") == "size":
                charged.add(0)
            right = session["intent"]["direction"] == "initiator" or what(entry)["at_stake"] in charged
            need(right, "it puts another number at stake", seq=seq)


def guesses(export: Export, session: dict[str, Map]) -> int:
    """How many values the peer asks of us."""
    intent, result = session["intent"], session.get("result")
    learns = intent["direction"] == "responder" or what(intent)["output"] == "both"
    named = (result or intent).get("agreement")
    if (
        not learns
        or what(intent)["rung"] == "size"
        or not named
        or what(result).get("reason") == "policy-refused"
    ):
        return 0
    peer = "responder" if intent["direction"] == "initiator" else "initiator"
    declared = int(export.document(named)[f"{peer}_padded"])
    if what(intent)["rung"] == "estimate":
        declared = 4096
    elif noise := what(intent).get("epsilon_milli", 0):
        declared += 2 * -(-27_726 // noise)
    return min(declared, what(result).get("asked", declared))


def charge(session: dict[str, Map]) -> int:
    """What a session counts for in the share."""
    inner, result = what(session["intent"]), session.get("result")
    none = result and what(result).get("learned_by_peer", "size") == "size" and "at_stake" not in inner
    worst = 0 if none or inner["rung"] == "size" else inner["ours_padded"]
    counts = what(result).get("at_stake", 0 if none else inner.get("at_stake", worst))
    if session["intent"]["direction"] == "responder" and "receipt" in session:
        told = decoded(decoded(session["receipt"]["receipt"])[0])["told"]
        counts = counts if told is None else min(counts, told)
    return int(counts)


def reports(export: Export) -> None:
    made = {what(e)["digest"] for e in export.entries if e["kind"] == "report"}
    for path, report in export.files.items():
        if path.startswith("reports/"):
            digest = sha256(report).hexdigest()
            need(path == f"reports/{digest}.json", "it is not named by its hash", path)
            need(digest in made, "no entry made it", path)
            with reading(path):
                content = json.loads(report)
                signature = bytes.fromhex(content.pop("signature"))
                key = member_in(export.rosters[-1], export.member)["identity_key"]
                verify(key, signature, b"cosight 2026 report v1\x00" + json_form(content))


def json_form(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode() + b"\n"


def against(ours: Export, theirs: Export) -> None:
    """Whether their log is what ours says of it, and has what both must have."""
    for mine, other in zip(ours.hashes, theirs.hashes, strict=False):
        need(
            mine == other, "another roster of this epoch", f"rosters/{ours.hashes.index(mine) + 1:06}.roster"
        )
    if ours.member == theirs.member:
        for seq, (mine, other) in enumerate(zip(ours.bodies, theirs.bodies, strict=False)):
            need(mine == other, "it keeps two logs", seq=seq)
        return
    sets = {what(e)["epoch"]: what(e) for e in theirs.entries if e["kind"] == "commitment"}
    for entry in ours.entries:
        inner = what(entry)
        if entry.get("peer") != theirs.member:
            continue
        if "log_size" in inner:
            need(0 < inner["log_size"] <= len(theirs.roots), "their log is shorter than we have seen it")
            root = theirs.roots[inner["log_size"] - 1].hex()
            same = inner["log_root"] == root
            need(same, "their log is another than we have seen", "checkpoints", inner["log_size"] - 1)
        if "peer_set" in inner:
            bound = sets.get(inner["peer_epoch"], {})
            same = (inner["peer_set"], inner["peer_set_padded"]) == (bound.get("root"), bound.get("padded"))
            need(same, "their set is another than we were shown")
    runs.against(ours, theirs)
    for name, session in ours.sessions.items():
        if session.get("intent", {}).get("peer") == theirs.member:
            shared(session, theirs.sessions.get(name, {}))


def shared(mine: dict[str, Map], other: dict[str, Map]) -> None:
    """A session that both agreed on is in both, and what both signed of it is the same."""
    if "intent" not in other:
        result = mine.get("result", {})
        signed = ("agreement" in result and "peer_signature" in what(result)) or "receipt" in mine
        need(not signed, "they have no such session")
        return
    names = {e["agreement"] for e in (*mine.values(), *other.values()) if "agreement" in e}
    need(len(names) <= 1, "they have another agreement")
    if "receipt" in mine and (mine["intent"]["direction"] == "initiator" or "receipt" in other):
        need("receipt" in other, "they have no receipt")
        need(mine["receipt"]["receipt"] == other["receipt"]["receipt"], "they have another receipt")


CHECKS = (documents, receipts, seals, witnesses, decisions, bases, runs.check, reports)
