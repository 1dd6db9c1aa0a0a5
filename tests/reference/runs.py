"""What ``docs/verifying.md`` and ``docs/ledger.md`` say of runs with the alliance, read a second time."""

from hashlib import sha256

from tests.reference.ledger import Export, Map, need, reading, verify

RUNS = {"convened", "joined", "brought", "masked", "shared", "counted", "broken"}
SAME = ("dictionary", "purpose", "measure")
ASKED = (
    "measure types profile purpose dictionary entries first last members minimum reporters visibility"
    " epsilon_milli base abandons"
)


def order(export: Export, entry: Map) -> None:
    """The rules of order of runs, held against all entries before."""
    kind, session, seq = entry["kind"], entry["session"], entry["seq"]
    if kind not in RUNS:
        return
    mine = [e for e in export.entries if e["kind"] in RUNS and e["session"] == session]
    mine = [e for e in mine if e.get("peer") == entry.get("peer")]
    if mine and mine[0]["what"]["measure"] == "discover":  # what was given up begins anew
        ends = [place for place, e in enumerate(mine, 1) if e["kind"] == "broken"]
        mine = mine[ends[-1] :] if ends and kind in {"joined", "convened"} else mine[_last(mine) :]
    said = {e["kind"] for e in mine}
    given_up = [e for e in export.entries if session in abandons(e)]
    if kind == "convened" or "peer" not in entry:
        need((kind == "convened") != ("convened" in said), "convened first and once", seq=seq)
        need(not said & {"counted", "broken"}, "it is over", seq=seq)
        return
    need((kind == "joined") != ("joined" in said), "joined first and once", seq=seq)
    need(kind == "broken" or not given_up, "it was abandoned", seq=seq)
    need(not said & ({"counted", "broken"}), "it is over", seq=seq)
    need(kind not in said, "said already", seq=seq)
    discovery = bool(mine) and mine[0]["what"]["measure"] == "discover"
    if kind in {"shared", "counted"}:
        need(("brought" if discovery else "masked") in said, "nothing left before", seq=seq)
    if kind in {"brought", "masked", "shared"}:
        need((kind == "brought") == discovery, "not in a run of this kind", seq=seq)
    if kind == "joined":
        for before in export.entries:
            if before["kind"] == "joined" and alike(before["what"], entry["what"]):
                need(not in_the_way(export, before, abandons(entry)), "the window was used", seq=seq)


def _last(mine: list[Map]) -> int:
    """Where the last attempt begins."""
    return max(place for place, e in enumerate(mine) if e["kind"] in {"joined", "convened"})


def abandons(entry: Map) -> list[str]:
    return entry.get("what", {}).get("abandons", []) if entry["kind"] == "joined" else []


def alike(one: Map, other: Map) -> bool:
    if "dictionary" not in one or any(one[name] != other.get(name) for name in SAME):
        return False
    return not (one["last"] < other["first"] or other["last"] < one["first"])


def in_the_way(export: Export, joined: Map, named: list[str]) -> bool:
    session = joined["session"]
    said = {e["kind"] for e in export.entries if e.get("session") == session and "peer" in e}
    if said & {"shared", "counted"}:
        return True
    if any(session in abandons(e) for e in export.entries) or session in named:
        return False
    return not ("broken" in said and "masked" not in said)


def check(export: Export) -> None:
    """What entries of runs name, and what was signed."""
    policy = None
    for entry in export.entries:
        seq = entry["seq"]
        policy = entry["policy"] if entry["kind"] == "policy" else policy
        if entry["kind"] not in RUNS or entry["what"].get("measure") == "discover":
            continue
        name = f"documents/{entry['session']}"
        if entry["kind"] in {"convened", "joined"}:
            need(name in export.files, "its opening is missing", name, seq)
            with reading(name, seq):
                opening = opening_of(export, entry["session"])
            with reading("leaves", seq):
                need(entry["what"] == told(entry, opening), "another opening", seq=seq)
                need(opening["coordinator"] == entry.get("peer", export.member), "who asked", seq=seq)
                roster = export.rosters[opening["roster_epoch"] - 1]
                same = export.hashes[opening["roster_epoch"] - 1] == opening["roster_hash"]
                there = {m["id"] for m in roster["members"]}
                need(same and {*opening["members"], opening["coordinator"]} <= there, "its roster", seq=seq)
                need(entry["kind"] == "convened" or entry["what"]["policy"] == policy, "policy", seq=seq)
        elif name in export.files:
            later(export, entry, opening_of(export, entry["session"]))


def opening_of(export: Export, session: str) -> Map:
    opening = export.document(session)
    need(opening["version"] == 1 and opening["window"] and opening["roster_epoch"], "no opening")
    return opening


def told(entry: Map, opening: Map) -> Map:
    purpose = sha256(b"cosight 2026 aggregate purpose v1\x00" + opening["purpose"].encode())
    stated = opening | {
        "purpose": purpose.hexdigest(), "dictionary": opening["dictionary"].hex(),
        "first": opening["window"][0], "last": opening["window"][1], "members": len(opening["members"]),
        "base": opening["base"].hex(), "abandons": [context.hex() for context in opening["abandons"]],
    }  # fmt: skip
    said = {name: stated[name] for name in ASKED.split() if stated[name]}
    return said | ({"policy": entry["what"].get("policy")} if entry["kind"] == "joined" else {})


def later(export: Export, entry: Map, opening: Map) -> None:
    kind, what, seq = entry["kind"], entry["what"], entry["seq"]
    if kind == "masked":
        need(set(what["entered"]) <= set(opening["types"]), "its types", seq=seq)
        need(sum(what["entered"].values()) <= opening["entries"], "more than there are", seq=seq)
    there = {*opening["members"], opening["coordinator"]}
    need(set(entry.get("culprits", ())) <= there, "somebody else is blamed", seq=seq)
    if kind == "counted":
        name = f"documents/{what.get('tally')}"
        need(name in export.files, "its tally is missing", name, seq)
        with reading("leaves", seq):
            tally = export.document(what["tally"])
            need(tally["context"].hex() == entry["session"], "a tally of another run", seq=seq)
            same = (what["digest"], what["survivors"]) == (tally["digest"].hex(), len(tally["survivors"]))
            need(same, "a tally of another result", seq=seq)
            need(what.get("released", 0) <= opening["entries"], "more than there are", seq=seq)
            us = opening["members"].index(export.member) if "peer" in entry else None
            need(us is None or us in tally["survivors"], "we are no part of it", seq=seq)
            signed(export, opening, tally)


def signed(export: Export, opening: Map, tally: Map) -> None:
    """At least two thirds and one more, of those whose sum it is, by the keys of that roster."""
    n, bits = len(opening["members"]), sum(1 << position for position in tally["survivors"])
    need(len(tally["survivors"]) >= opening["minimum"], "too few survivors")
    need(len(tally["signatures"]) >= 2 * n // 3 + 1, "too few signatures")
    roster = export.rosters[opening["roster_epoch"] - 1]
    keys = {m["id"]: m["identity_key"] for m in roster["members"]}
    for position, signature in tally["signatures"]:
        need(position in tally["survivors"], "signed by somebody else")
        head = b"cosight 2026 masking signature v1\x00" + tally["context"] + bytes([6, position])
        body = tally["context"] + bits.to_bytes((n + 7) // 8, "little") + tally["digest"]
        verify(keys[opening["members"][position]], signature, head + body)


def against(ours: Export, theirs: Export) -> None:
    """What both counted in came out the same."""
    results = [
        {e["session"]: export.document(e["what"]["tally"]) for e in export.entries if e["kind"] == "counted"}
        for export in (ours, theirs)
    ]
    for session, tally in results[0].items():
        other = results[1].get(session, tally)
        same = (other["digest"], other["survivors"]) == (tally["digest"], tally["survivors"])
        seqs = [e["seq"] for e in theirs.entries if e["kind"] == "counted" and e["session"] == session]
        need(same, "another result", seq=max(seqs, default=None))
