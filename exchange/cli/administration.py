"""``alliance approve``, ``change``, ``renew`` and ``revoke``: what administrators do."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.home import confirm, open_alliance, open_home, read_file, write_file
from exchange.cli.membership import YesOption, alliance_app
from exchange.cli.output import DEFAULT_HOME, HomeOption, JsonOption, emit, say
from exchange.clock import utc_now
from exchange.identity import files, joining, membership
from exchange.identity.encoding import Kind
from exchange.identity.membership import Review
from exchange.identity.roster import Role, SignedRoster
from exchange.store.alliance import Alliance, root_key

APPROVAL, PROPOSAL = Path("approval.cosight"), Path("proposal.cosight")
OutOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="The file to write.", show_default=f"{APPROVAL} or {PROPOSAL}"),
]
QuorumOption = Annotated[
    int | None,
    typer.Option(min=1, help="Administrators who must sign each roster from now on; unchanged if left out."),
]


@alliance_app.command()
def approve(
    file: Annotated[Path, typer.Argument(help="A join request, or a proposed roster to countersign.")],
    out: OutOption = None,
    admin: Annotated[bool, typer.Option("--admin", help="The newcomer becomes an administrator.")] = False,
    quorum: QuorumOption = None,
    yes: YesOption = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Admit a newcomer, or add our signature to a proposed roster (administrators)."""
    alliance = open_alliance(home)
    text = read_file(file)
    if files.kind_of(text) is Kind.PROPOSAL:
        proposal = files.read_proposal(text)
        review = membership.review(alliance.chain(), proposal)
        confirm(_in_words(review), yes, as_json, asking="Do you agree, and do the fingerprints?")
        signed = membership.countersign(alliance.chain(), proposal, alliance.member, alliance.keys)
    else:
        request = joining.read_join_request(text, alliance.chain(), utc_now())
        newcomer = request.newcomer
        confirm(f"{newcomer.id} asks to join, with the fingerprint {request.fingerprint}", yes, as_json)
        if admin:
            newcomer = replace(newcomer, role=Role.ADMINISTRATOR)
        signed = membership.admit(
            alliance.chain(), alliance.member, alliance.keys, root_key(open_home(home)), newcomer,
            request.ca_key, utc_now(), quorum=quorum,
        )  # fmt: skip
    _publish(alliance, signed, out, as_json)


@alliance_app.command()
def revoke(
    member: Annotated[str, typer.Argument(help="Who leaves. Its name and keys stay barred.")],
    out: OutOption = None,
    yes: YesOption = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Take a member off the roster, at once for every node that hears of it (administrators)."""
    alliance = open_alliance(home)
    alliance.member_named(member)
    confirm(f"{member} leaves {alliance.alliance} for good", yes, as_json, asking="Go on?")
    signed = membership.revoke(alliance.chain(), alliance.member, alliance.keys, [member], utc_now())
    _publish(alliance, signed, out, as_json)


@alliance_app.command()
def change(
    admin: Annotated[
        list[str] | None,
        typer.Option("--admin", help="This member becomes an administrator; may be repeated."),
    ] = None,
    plain: Annotated[
        list[str] | None,
        typer.Option("--plain", help="This one is no administrator any more; may be repeated."),
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option("--address", help="MEMBER=HOST:PORT, where its node is reached; may be repeated."),
    ] = None,
    quorum: QuorumOption = None,
    out: OutOption = None,
    yes: YesOption = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Change who administers, the quorum, or addresses (administrators)."""
    roles = dict.fromkeys(admin or [], Role.ADMINISTRATOR) | dict.fromkeys(plain or [], Role.MEMBER)
    addresses = dict(_member_address(text) for text in address or [])
    alliance = open_alliance(home)
    signed = membership.amend(
        alliance.chain(), alliance.member, alliance.keys, utc_now(),
        roles=roles, addresses=addresses, quorum=quorum,
    )  # fmt: skip
    changes = [f"{name} becomes {role}" for name, role in roles.items()]
    changes += [f"{name} is reached at {where}" for name, where in addresses.items()]
    changes += [f"the quorum becomes {quorum}"] if quorum else []
    confirm(f"{alliance.alliance}: {', '.join(changes)}", yes, as_json, asking="Go on?")
    _publish(alliance, signed, out, as_json)


@alliance_app.command()
def renew(
    members: Annotated[
        list[str] | None, typer.Argument(help="Whose intermediate certificate; everybody's if left out.")
    ] = None,
    out: OutOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Make new intermediate certificates, good for five years, for the same keys (administrators)."""
    alliance = open_alliance(home)
    names = members or [m.id for m in alliance.current().members]
    signed = membership.renew(
        alliance.chain(), alliance.member, alliance.keys, root_key(open_home(home)), names, utc_now()
    )
    _publish(alliance, signed, out, as_json)


def _publish(alliance: Alliance, signed: SignedRoster, chosen: Path | None, as_json: bool) -> None:
    """Put a roster in force and write the approval, or the proposal if it still lacks signatures."""
    chain = alliance.chain()
    complete = membership.is_complete(chain, signed)
    out = chosen or (APPROVAL if complete else PROPOSAL)
    if complete:
        alliance.adopt([signed.encode()])
        write_file(out, files.write_approval(alliance.signed()))
    else:
        write_file(out, files.write_proposal(signed))
    missing = max(0, chain.current.quorum - len(signed.signatures))
    epoch = chain.current.epoch + 1
    result = {"file": str(out), "epoch": epoch, "in_force": complete, "missing_signatures": missing}

    def show() -> None:
        if complete:
            say(f"roster {epoch} is in force here; approval written to ", (str(out), "bold"))
            say("send it to the newcomer, if there is one; nodes pass it on when one dials the other")
        else:
            say(
                f"proposal for roster {epoch} written to ",
                (str(out), "bold"),
                f"; signatures missing: {missing}",
            )
            say(f"next    another administrator signs it: cosight alliance approve {out.name}")

    emit(as_json, result, show)


def _member_address(text: str) -> tuple[str, str]:
    member, found, address = text.partition("=")
    if not found:
        raise typer.BadParameter("write MEMBER=HOST:PORT", param_hint="--address")
    return member, address


def _in_words(review: Review) -> str:
    lines = [
        f"Roster {review.roster.epoch} of {review.roster.alliance}, signed by {', '.join(review.signed_by)}:"
    ]
    lines += [f"  {m.id} joins as {m.role}, fingerprint {shown}" for m, shown in review.joined]
    lines += [f"  {name} leaves" for name in review.left]
    lines += [f"  {name} changes role, address or certificate" for name in review.altered]
    if review.quorum[0] != review.quorum[1]:
        lines.append(f"  the quorum changes from {review.quorum[0]} to {review.quorum[1]}")
    return "\n".join(lines)
