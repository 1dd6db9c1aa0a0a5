"""What a report states of one session: plain data, every number of it from an entry or a named document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from exchange.agreement import Agreement
from exchange.ledger import Kind, Leaf
from exchange.ledger.receipt import NOTHING
from exchange.report import words
from exchange.report.learned import ADVERSARIES, RECEIVER, SENDER, Statement, statement
from exchange.report.policies import Stated, stated
from exchange.report.runs import VERIFIED, Run, smallest

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What the sessions of a report have in common.

    Attributes:
        us: our member id.
        leaves: all entries of the report.
        documents: what they name.
        called: what to call a peer that must not be named.
    """

    us: str
    leaves: Sequence[Leaf]
    documents: Mapping[str, bytes]
    called: Mapping[str, str]

    def name(self, member: str) -> str:
        """What a member is called here."""
        return self.called.get(member, member)


def session(run: Run, at: Background) -> dict[str, Any]:
    """Return everything that a report states of a session."""
    policy = stated(str(run.intent.what.get("policy", "")), at.documents)
    facts: dict[str, Any] = {
        "session": run.session,
        "peer": at.name(run.peer),
        "direction": run.direction,
        "began": run.intent.time,
        "ended": None if run.result is None else run.result.time,
        "outcome": run.outcome,
        "reason": str(run.said("reason") or ""),
        "types": list(run.types),
        "roles": {"us": _role(run, ours=True), "peer": _role(run, ours=False), "we_learn": run.we_learn},
        "agreement": _agreement(run),
        "policy": _policies(run, policy, at),
        "purpose": _purpose(run, policy, at),
        "arrangement": policy.named("arrangements", policy.terms(run.peer).get("arrangement")),
        "region": str(policy.terms(run.peer).get("region") or ""),
        "protocol": _protocol(run),
        "sizes": {"ours_padded": run.ours_padded or None, "peer_padded": run.number("peer_padded")},
        "input": _input(run, at.leaves),
        "output": _output(run, policy),
        "bounds": _bounds(run),
        "learned": _learned(run, at),
        "receipt": _receipt(run),
        "entries": {
            name: None if leaf is None else leaf.seq
            for name, leaf in (("intent", run.intent), ("result", run.result), ("receipt", run.receipt))
        },
    }
    return _hide_parties(facts, at) | {"words": words.session(facts, at.us)}


def _role(run: Run, *, ours: bool) -> str:
    return RECEIVER if run.receives is ours else SENDER


def _hide_parties(facts: dict[str, Any], at: Background) -> dict[str, Any]:
    """Call the parties of the arrangement as the report calls them."""
    if arrangement := facts["arrangement"]:
        parties = sorted(at.name(p) for p in arrangement.get("parties", ()))
        facts["arrangement"] = arrangement | ({"parties": parties} if parties else {})
    return facts


def _agreement(run: Run) -> dict[str, Any]:
    fields = dict(run.intent.fields) | ({} if run.result is None else dict(run.result.fields))
    a = run.agreement
    return {
        "hash": str(fields.get("agreement", "")),
        "held": a is not None,
        "roster_epoch": None if a is None else a.roster_epoch,
        "roster_hash": "" if a is None else a.roster_hash.hex(),
        "software_ours": "" if a is None else _side(run, a.initiator_software, a.responder_software),
        "software_peer": "" if a is None else _side(run, a.responder_software, a.initiator_software),
        "profile": a.profile if a is not None else str(run.said("profile") or ""),
    }


def _side(run: Run, initiator: T, responder: T) -> T:
    """What of two is of our side, in order of initiator and responder; the other way round, the peer's."""
    return initiator if run.direction == "initiator" else responder


def _policies(run: Run, policy: Stated, at: Background) -> dict[str, Any]:
    a = run.agreement
    theirs = "" if a is None else _side(run, a.responder_policy.hex(), a.initiator_policy.hex())
    return {
        "ours": policy.hash,
        "held": policy.held,
        "id": policy.name,
        "revision": policy.revision if policy.held else None,
        "valid_from": str(policy.content.get("valid_from") or ""),
        "valid_until": str(policy.content.get("valid_until") or ""),
        "theirs": theirs,
        "theirs_revision": None if a is None else _side(run, a.responder_revision, a.initiator_revision),
        "terms": at.name(policy.heading(run.peer)),
    }


def _purpose(run: Run, policy: Stated, at: Background) -> dict[str, Any]:
    basis = policy.named("legal_bases", policy.terms(run.peer).get("legal_basis"))
    return {
        "stated": "" if run.agreement is None else run.agreement.purpose,
        "legal_basis": basis,
        "controllers": f"{at.us} and {at.name(run.peer)} are separate controllers: each answers for what it "
        "put in, for its policy, and for what it does with what it learned. This report speaks for "
        f"{at.us} alone.",
    }


def _protocol(run: Run) -> dict[str, Any]:
    a, against = run.agreement, ADVERSARIES.get(run.protocol)
    return {
        "name": run.protocol,
        "rung": str(run.rung),
        "output": run.output,
        "stage": _stage(run, a),
        "stat_sec": None if a is None else a.stat_sec,
        "deadline_s": None if a is None else a.deadline_s,
        "model": "" if against is None else against.model,
        "assumptions": "" if against is None else against.assumptions,
        "errors": "" if against is None else against.errors,
        "limits": "" if against is None else against.limits,
        "bytes_sent": run.number("bytes_sent"),
        "bytes_received": run.number("bytes_received"),
    }


def _stage(run: Run, agreement: Agreement | None) -> str:
    return str(run.said("stage") or "") if agreement is None else str(agreement.stage)


def _input(run: Run, leaves: Sequence[Leaf]) -> dict[str, Any]:
    withheld = run.said("withheld") or {}
    return {
        "entered": run.said("entered"),
        "entered_total": run.ours,
        "withheld": [
            {"rule": rule, "reason": words.held_back(rule), "types": types, "total": sum(types.values())}
            for rule, types in withheld.items()
        ],
        "canaries": run.number("canaries"),
        "commitment": _commitment(run, leaves),
        "peer_commitment": _peer_commitment(run),
    }


def _commitment(run: Run, leaves: Sequence[Leaf]) -> dict[str, Any] | None:
    """Our newest commitment when the session began."""
    before = [x for x in leaves if x.kind is Kind.COMMITMENT and x.seq < run.intent.seq]
    if not before:
        return None
    newest = before[-1]
    return {
        "epoch": newest.what["epoch"], "root": newest.what["root"], "padded": newest.what["padded"],
        "time": newest.time, "entry": newest.seq,
    }  # fmt: skip


def _peer_commitment(run: Run) -> dict[str, Any] | None:
    if (root := run.said("peer_set")) is None:
        return None
    return {"epoch": run.said("peer_epoch"), "root": root, "padded": run.said("peer_set_padded")}


def _output(run: Run, policy: Stated) -> dict[str, Any]:
    """What came of it. How many of each type matched is in no ledger."""
    terms, iep = policy.terms(run.peer), policy.iep
    actions = ("permitted_actions", "affected_party_notifications", "unmodified_resale")
    return {
        "matched": run.number("matched"),
        "matched_at_most": run.told,
        "at_least": run.number("at_least"),
        "estimated": run.number("estimated"),
        "total": run.number("total"),
        "over": str(run.said("over") or ""),
        "epsilon_milli": run.number("epsilon_milli"),
        "learned_by_us": str(run.said("learned_by_us") or ""),
        "learned_by_peer": str(run.said("learned_by_peer") or ""),
        "told_peer": _told_peer(run),
        "attribution": policy.attribution(run.peer),
        "tlp": str(terms.get("tlp") or ""),
        "iep_tlp": str(iep.get("tlp") or ""),
        "pap": str(terms.get("pap") or ""),
        "iep": {name: str(iep[name]) for name in actions if name in iep},
    }


def _told_peer(run: Run) -> int | None:
    """How many matched at most, as we told a peer that did not learn it by itself."""
    return None if run.direction == "responder" else run.number("told")


def _bounds(run: Run) -> dict[str, int | str | None]:
    """How much each side can have inferred, as ranges."""
    padded = run.number("peer_padded")
    known, source = _known(run)
    return {
        "ours_least": smallest(run.ours_padded),
        "ours_most": run.ours_padded,
        "peer_least": None if padded is None else smallest(padded),
        "peer_most": padded,
        "ours_learned_stated": known,
        "stated_from": source,
        "ours_learned_most": run.at_stake,
        "charge": run.charge,
        "asked": run.asked,
    }


def _known(run: Run) -> tuple[int | None, str]:
    """How many of ours the peer learned of, where somebody says so, and who."""
    if run.direction == "responder" and not run.turned and run.peer_learns and run.told is not None:
        return run.charge, "receipt"
    matched = run.number("matched")
    if run.receives and run.peer_learns and matched is not None:
        return min(matched, run.at_stake), "result"
    return None, ""


def _learned(run: Run, at: Background) -> list[dict[str, Any]]:
    stage = _stage(run, run.agreement)
    rows = []
    for who, ours in ((at.us, True), (at.name(run.peer), False)):
        role = _role(run, ours=ours)
        found = statement(run.rung, run.protocol, role, run.output, stage)
        rows.append({"who": who, "role": role} | _stated(found))
    return rows


def _stated(found: Statement | None) -> dict[str, Any]:
    if found is None:
        nothing = "This version of cosight has no statement on a run of this kind."
        return {"learned": nothing, "infers": [], "cheat": []}
    return {"learned": found.learned, "infers": list(found.infers), "cheat": list(found.cheat)}


def _receipt(run: Run) -> dict[str, Any]:
    """The state of the receipt, and what it says where both signatures verify."""
    found: dict[str, Any] = {"state": run.state, "reason": run.reason}
    if run.signed is None or run.state != VERIFIED:
        return found
    first, second = run.signed.initiator, run.signed.responder
    return found | {
        "initiator": first.outcome,
        "responder": second.outcome,
        "told": first.told,
        "transcript": "" if first.transcript == NOTHING else first.transcript.hex(),
        "initiator_log": {"size": first.size, "root": first.root.hex()},
        "responder_log": {"size": second.size, "root": second.root.hex()},
        "responder_log_before": {"size": first.peer_size, "root": first.peer_root.hex()},
    }
