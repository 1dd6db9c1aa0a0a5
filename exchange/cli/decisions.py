"""``policy approve``, ``approver``, ``quarantine``, ``lift``: what people decide, written into the ledger."""

import re
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.agreement import Rung
from exchange.cli.output import DEFAULT_HOME, HomeOption, JsonOption, emit, say
from exchange.cli.policies import find_home, history_of, open_ledger, types_or_all
from exchange.cli.policy import PeerArgument, PurposeOption, TypesOption, policy_app
from exchange.clock import utc_now
from exchange.config import Home, read_secret, write_once
from exchange.errors import ConfigError
from exchange.identity import keys
from exchange.ledger import Kind
from exchange.ledger.leaf import timestamp
from exchange.policy import Approving, Policy, approve, request_hash
from exchange.policy.approvals import approving, load_key
from exchange.policy.reader import WORD
from exchange.store.policies import home_policy

ReasonOption = Annotated[str, typer.Option(help="One word for the ledger: a-z, 0-9 and -, at most 31.")]


@policy_app.command("approve")
def approve_(
    peer: PeerArgument,
    key: Annotated[Path, typer.Option(help="Your private key, as `policy approver` made it.")],
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="Your name under [approvers].")],
    reveal: Annotated[
        Rung, typer.Option(metavar="LEVEL", help="What the receiver would learn.")
    ] = Rung.OVERLAP,
    types: TypesOption = None,
    purpose: PurposeOption = "",
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Approve a session before it runs. Who has approved it is in the ledger, signed."""
    opened = find_home(home)
    policy = home_policy(opened)[1]
    chosen = types_or_all(types, policy, peer)
    needed = _needed(policy, peer, reveal)
    private = _key(policy, key, name)
    now = utc_now()
    request = request_hash(peer, reveal, chosen, policy.hash, purpose)
    given = approve(request, reveal, chosen, approver=name, key=private, expires=now + needed.span)
    what: dict[str, object] = {
        "request": request,
        "rung": str(reveal),
        "types": list(map(str, given.types)),
        "approver": name,
        "expires": timestamp(given.expires),
        "signature": given.signature.hex(),
    }
    seq = _append(opened, Kind.APPROVAL, peer, what)
    known = history_of(opened, peer, now).approvals
    heard = sorted(approving(known, request, needed, policy.approvers, now))
    result = {
        "seq": seq,
        "peer": peer,
        "reveal": str(reveal),
        "types": what["types"],
        "expires": what["expires"],
        "approved_by": heard,
        "people": needed.people,
    }

    def show() -> None:
        missing = max(0, needed.people - len(heard))
        then = "enough" if not missing else f"{missing} more must"
        say(("approved", "bold"), f" by {', '.join(heard)}: {then}; good until {given.expires:%F %T} UTC")

    emit(as_json, result, show)


@policy_app.command()
def approver(
    name: Annotated[str, typer.Argument(help="Who will approve: a-z, 0-9 and -.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Gets the private key; keep it with the person.")],
    as_json: JsonOption = False,
) -> None:
    """Make the key of a person who approves, and print the line for the policy."""
    if not WORD.fullmatch(name):
        raise typer.BadParameter("a-z, 0-9 and -, at most 31, a letter first", param_hint="NAME")
    private = Ed25519PrivateKey.generate()
    if not write_once(out, keys.to_pem(private)):
        raise ConfigError(f"{out} exists", code="file-exists", hint="choose another --out")
    line = f'{name} = "{keys.public_bytes(private).hex()}"'
    result = {"name": name, "file": str(out), "line": line}
    emit(as_json, result, lambda: say(f"[approvers]\n{line}"))


@policy_app.command()
def quarantine(
    peer: PeerArgument,
    reason: ReasonOption = "operator",
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Run nothing with a peer until it is lifted, whatever the policy says."""
    opened = find_home(home)
    seq = _append(opened, Kind.QUARANTINE, peer, {"reason": _word(reason)})
    result = {"seq": seq, "peer": peer, "reason": reason}
    emit(as_json, result, lambda: say((peer, "bold"), f" is in quarantine ({reason})"))


@policy_app.command()
def lift(
    peer: PeerArgument,
    reason: ReasonOption = "operator",
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """End a quarantine, that of an alarm too."""
    opened = find_home(home)
    was = history_of(opened, peer, utc_now()).quarantined
    if not was:
        raise ConfigError(f"{peer} is not in quarantine", code="not-quarantined")
    seq = _append(opened, Kind.LIFT, peer, {"reason": _word(reason)})
    result = {"seq": seq, "peer": peer, "reason": reason, "was": was}
    emit(as_json, result, lambda: say((peer, "bold"), f" was in quarantine ({was}) and is no longer"))


def _append(home: Home, kind: Kind, peer: str, what: dict[str, object]) -> int:
    """Write one decision about a member of the roster."""
    with open_ledger(home) as (ledger, alliance):
        if kind is not Kind.LIFT:  # who has left the alliance meanwhile can still be let off
            alliance.member_named(peer)
        return ledger.append(kind, now=utc_now(), peer=peer, what=what)


def _word(reason: str) -> str:
    if re.fullmatch(WORD, reason):
        return reason
    raise typer.BadParameter("one word of a-z, 0-9 and -, at most 31", param_hint="--reason")


def _needed(policy: Policy, peer: str, rung: Rung) -> Approving:
    """What the terms for the peer ask of approvals.

    Raises:
        ConfigError: nothing, for this rung: an approval would not count.
    """
    found = policy.terms(peer)
    needed = None if found is None else found[1].approval
    if needed is None or rung not in needed.rungs:
        raise ConfigError(
            f"the policy asks for no approval of {rung} with {peer}",
            code="approval-unneeded",
            hint="approval under the terms for the peer asks for one: see docs/policy.md",
        )
    return needed


def _key(policy: Policy, path: Path, name: str) -> Ed25519PrivateKey:
    """The approver's private key, if it is the one of that name in the policy."""
    private = load_key(read_secret(path))
    if policy.approvers.get(name) != keys.public_bytes(private):
        raise ConfigError(
            f"{path} is not the key of {name} under [approvers]",
            code="approver-unknown",
            hint="`cosight policy approver NAME --out FILE` makes a key and prints the line for the policy",
        )
    return private
