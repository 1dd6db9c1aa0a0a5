"""The chapters on one session: what was learned, who and why, what went in, what came of it, and how."""

from collections.abc import Iterator
from typing import Any

from exchange.report.figures import input_plot, ranges_plot, share_plot
from exchange.report.view import Block, Code, Facts, Figure, Heading, Paragraph, Table
from exchange.report.words import BASES, listed, moment

NONE = "none"
"""What is shown where a field has nothing."""


def chapters(s: dict[str, Any], content: dict[str, Any]) -> list[Block]:
    """Return the chapters on one session."""
    return [
        Heading("What each side learned and could infer"),
        Paragraph(" ".join(s["words"])),
        *([Figure(ranges_plot(s, content))] if s["bounds"]["ours_most"] else []),
        _bounds_table(s, content),
        _learned_table(s),
        *_identity(s, content),
        *_input(s, content),
        *_output(s, content),
        *_protocol(s),
    ]


def _bounds_table(s: dict[str, Any], content: dict[str, Any]) -> Table:
    b, us, peer = s["bounds"], content["given"]["member"], s["peer"]
    rows = [
        (f"size of {us}'s set, as {peer} sees it", f"{b['ours_least']:,}", f"{b['ours_most']:,}", ""),
        (f"size of {peer}'s set, as {us} sees it", n(b["peer_least"]), n(b["peer_most"]), ""),
        (
            f"indicators of {us} that {peer} learned of", "0", f"{b['ours_learned_most']:,}",
            n(b["ours_learned_stated"]) if b["ours_learned_most"] else "",
        ),
    ]  # fmt: skip
    return Table(
        "Bounds of what can be inferred", ("what", "at least", "at most", "as stated"), tuple(rows), _last(3)
    )


def _last(n: int) -> frozenset[int]:
    """The columns after the first."""
    return frozenset(range(1, n + 1))


def _learned_table(s: dict[str, Any]) -> Table:
    rows = tuple(
        (f"{row['who']} ({row['role']})", row["learned"], " ".join(row["infers"]), " ".join(row["cheat"]))
        for row in s["learned"]
    )
    return Table(
        "What the protocol tells each party, what follows, and what a cheat could gain",
        ("party", "learned", "could infer", "had it left the protocol"),
        rows,
    )


def _identity(s: dict[str, Any], content: dict[str, Any]) -> list[Block]:
    identity, given, a, policy = content["identity"], content["given"], s["agreement"], s["policy"]
    basis, arrangement = s["purpose"]["legal_basis"], s["arrangement"]
    return [
        Heading("Identity and parties"),
        Facts(
            "The session",
            (
                ("report", Code(given["report"])),
                ("session", Code(s["session"])),
                ("alliance", identity["alliance"] or "none"),
                ("roster", _roster(a, identity)),
                ("began", moment(s["began"])),
                ("ended", moment(s["ended"]) if s["ended"] else "no end is recorded"),
                ("agreement", Code(a["hash"] or "none")),
                ("our software", a["software_ours"] or "not recorded"),
                ("the peer's software", a["software_peer"] or "not recorded"),
                ("canonical profile", a["profile"] or "not recorded"),
            ),
        ),
        Facts(
            "The parties",
            (
                (given["member"], f"{s['direction']}, {s['roles']['us']}: this report is its own"),
                (s["peer"], f"{_other(s['direction'])}, {s['roles']['peer']}" + _pseudonym(s["peer"], s)),
                ("region of the peer", s["region"] or "not stated in the policy"),
                ("arrangement", _arrangement(arrangement)),
            ),
        ),
        Heading("Purpose and legal basis"),
        Facts(
            "Why it was allowed",
            (
                ("purpose stated", s["purpose"]["stated"] or "none"),
                ("legal basis", _legal(basis)),
                ("controllers", s["purpose"]["controllers"]),
                ("balancing test", str((basis or {}).get("balancing_test", NONE))),
                ("reference", str((basis or {}).get("reference", NONE))),
                ("our policy", Code(policy["ours"] or "not named in the ledger")),
                ("its id and revision", _policy_name(policy)),
                ("terms in it", Code(f"[peers.{policy['terms']}]" if policy["terms"] else NONE)),
                (
                    "its validity",
                    _validity(policy) if policy["held"] else "its document is not in the ledger",
                ),
                ("the peer's policy", _theirs(policy)),
            ),
        ),
        Paragraph(content["not_there"]["peer_policy"], note=True),
    ]


def _roster(a: dict[str, Any], identity: dict[str, Any]) -> str:
    if a["roster_epoch"] is not None:
        return Code(f"epoch {a['roster_epoch']}, {a['roster_hash']}")
    if identity["roster_epoch"] is None:
        return "none"
    return Code(f"epoch {identity['roster_epoch']} is the newest, {identity['roster_hash']}")


def _other(direction: str) -> str:
    return "responder" if direction == "initiator" else "initiator"


def _pseudonym(peer: str, s: dict[str, Any]) -> str:
    must_not = s["output"]["attribution"] == "must-not"
    return " (not its name: the policy says that it must not be named)" if must_not and peer else ""


def _arrangement(found: dict[str, Any] | None) -> str:
    if found is None:
        return "none stated in the policy"
    parties = f", of {listed(found['parties'])}" if found.get("parties") else ""
    conditions = f". Conditions: {found['conditions']}" if found.get("conditions") else ""
    return f"{found['id']}, {found.get('reference', 'no reference')}{parties}{_between(found)}{conditions}"


def _between(table: dict[str, Any]) -> str:
    ends = [f"{w} {table[k]}" for w, k in (("from", "valid_from"), ("until", "valid_until")) if table.get(k)]
    return f", in force {' '.join(ends)}" if ends else ", without dates"


def _legal(basis: dict[str, Any] | None) -> str:
    if basis is None:
        return "none stated in the policy"
    word = str(basis.get("basis", ""))
    return f"{basis['id']}: {BASES.get(word, word)}{_between(basis)}"


def _policy_name(policy: dict[str, Any]) -> str:
    if policy["revision"] is None:
        return "its document is not in the ledger"
    return f"{policy['id'] or 'no id'}, revision {policy['revision']}"


def _theirs(policy: dict[str, Any]) -> str:
    if not policy["theirs"]:
        return "not recorded"
    return Code(f"revision {policy['theirs_revision']}, {policy['theirs']}")


def _validity(policy: dict[str, Any]) -> str:
    return _between(policy).lstrip(", ")


def _input(s: dict[str, Any], content: dict[str, Any]) -> list[Block]:
    given, us = s["input"], content["given"]["member"]
    blocks: list[Block] = [Heading("What went in")]
    if given["entered"] is None:
        blocks.append(Paragraph("The ledger does not say how many of each type entered or were held back."))
    else:
        rows = _per_type(given)
        blocks += [Figure(input_plot(rows, us))] if rows else []
        blocks.append(
            Table(
                f"Indicators of {us} by type",
                ("type", "held", "entered", "held back"),
                tuple((t, f"{e + h:,}", f"{e:,}", f"{h:,}") for t, e, h in rows),
                _last(3),
            )
        )
        blocks.append(_withheld(given))
    sizes, canaries = s["sizes"], given["canaries"]
    blocks.append(
        Facts(
            "What was declared and committed to",
            (
                ("declared by us, padded", n(sizes["ours_padded"])),
                ("declared by the peer, padded", n(sizes["peer_padded"])),
                ("canaries planted for this peer", "not recorded" if canaries is None else f"{canaries:,}"),
                ("our commitment to the set", _commitment(given["commitment"])),
                ("the peer's commitment", _commitment(given["peer_commitment"])),
            ),
        )
    )
    return blocks


def _per_type(given: dict[str, Any]) -> list[tuple[str, int, int]]:
    held: dict[str, int] = {}
    for row in given["withheld"]:
        for kind, n in row["types"].items():
            held[kind] = held.get(kind, 0) + n
    entered = given["entered"]
    return [(kind, entered.get(kind, 0), held.get(kind, 0)) for kind in sorted(entered.keys() | held.keys())]


def _withheld(given: dict[str, Any]) -> Block:
    if not given["withheld"]:
        return Paragraph("No rule held anything back.")
    rows = tuple(
        (row["reason"], Code(row["rule"]), _by_type(row["types"]), f"{row['total']:,}")
        for row in given["withheld"]
    )
    return Table(
        "What was held back, and why", ("because it was", "rule", "types", "items"), rows, frozenset({3})
    )


def _by_type(types: dict[str, int]) -> str:
    return ", ".join(f"{kind} {n:,}" for kind, n in sorted(types.items()))


def _commitment(found: dict[str, Any] | None) -> str:
    if found is None:
        return "none"
    padded = "" if found["padded"] is None else f", {found['padded']:,} as declared"
    return Code(f"epoch {found['epoch']}{padded}, {found['root']}")


def _output(s: dict[str, Any], content: dict[str, Any]) -> list[Block]:
    out = s["output"]
    told = out["told_peer"]
    figure = share_plot(s, content)
    return [
        Heading("What came of it"),
        *([Figure(figure)] if figure else []),
        Facts(
            "Output",
            (
                ("matched", _matched(out)),
                *_blurred(out),
                ("the count that we told the peer", "none" if told is None else f"at most {told:,}"),
                ("we learned", out["learned_by_us"] or "nothing is recorded"),
                ("the peer learned at most", out["learned_by_peer"] or "nothing is recorded"),
                ("counts against the budget", f"{s['bounds']['charge']:,} of ours"),
                ("naming the peer", out["attribution"] or "not stated in the policy"),
                ("TLP ceiling of what entered", out["tlp"] or "not stated in the policy"),
                ("PAP ceiling of what entered", out["pap"] or "not stated in the policy"),
                *((name.replace("_", " "), word) for name, word in out["iep"].items()),
                *((("TLP of the policy", out["iep_tlp"]),) if out["iep_tlp"] else ()),
                ("onward release", "as the TLP, PAP and permitted actions say; RED is never handed on"),
                ("annex with the list", Code(content["annex"]["result"] or "none was named")),
            ),
        ),
        Paragraph(content["not_there"]["per_type_output"], note=True),
    ]


def _blurred(out: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What rungs between the sizes and the overlap gave, and what they were given under."""
    if out["total"] is not None:
        yield f"the sum of the {out['over']} of what matched", f"{out['total']:,}, from our own result"
    elif out["over"]:
        yield "a sum was over", out["over"]
    if out["epsilon_milli"] is not None:
        yield "our noise on the count", f"epsilon {out['epsilon_milli'] / 1000:g}"


def _matched(out: dict[str, Any]) -> str:
    if out["matched"] is not None:
        return f"{out['matched']:,}, from our own result"
    if out["estimated"] is not None:
        return f"about {out['estimated']:,}, from our own result: an estimate, or a number with noise"
    if out["at_least"] is not None:
        return f"at least {out['at_least']:,}, from our own result: the lower end of a band"
    if out["matched_at_most"] is not None:
        return f"at most {out['matched_at_most']:,}, from the receipt that the peer signed"
    return "not known to us"


def _protocol(s: dict[str, Any]) -> list[Block]:
    p = s["protocol"]
    return [
        Heading("Protocol"),
        Facts(
            "How it was computed",
            (
                ("protocol", f"{p['name']}, rung {p['rung']}, output {p['output']}"),
                ("part of it", p["stage"] or "not recorded"),
                (
                    "statistical security",
                    "not recorded" if p["stat_sec"] is None else f"{p['stat_sec']} bits",
                ),
                ("deadline", "not recorded" if p["deadline_s"] is None else f"{p['deadline_s']:,} s"),
                ("bytes sent, received", f"{n(p['bytes_sent'])}, {n(p['bytes_received'])}"),
                ("adversary", p["model"] or "this version has no statement on this protocol"),
                ("assumptions", p["assumptions"] or NONE),
                ("errors", p["errors"] or NONE),
                ("what it does not stop", p["limits"] or NONE),
            ),
        ),
    ]


def n(value: int | None) -> str:
    """A number that may be unknown."""
    return "not known" if value is None else f"{value:,}"
