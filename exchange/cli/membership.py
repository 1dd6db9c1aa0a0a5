"""``init`` and ``alliance``: keys, and who is in. Everything works with files that travel by e-mail."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli import app
from exchange.cli.output import DEFAULT_HOME, HomeOption, JsonOption, emit, stderr, stdout, table
from exchange.config import DEFAULT_LISTEN, ROOT_KEY, Home, write_atomic
from exchange.errors import ConfigError, MembershipError
from exchange.identity import files, joining, keys, membership
from exchange.identity.encoding import Kind
from exchange.identity.keys import NodeKeys
from exchange.identity.membership import Review, fingerprint_of
from exchange.identity.roster import Role, SignedRoster
from exchange.identity.rules import RosterChain
from exchange.node import utc_now
from exchange.policy import DEFAULT_POLICY
from exchange.store.alliance import Alliance, node_keys, root_key

alliance_app = typer.Typer(help="Who is in the alliance, and how it changes.", no_args_is_help=True)
app.add_typer(alliance_app, name="alliance")

OutOption = Annotated[Path, typer.Option("--out", "-o", help="The file to write.")]
YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask; the fingerprints were compared already.")
]


@app.command()
def init(
    member: Annotated[str, typer.Option(help="This node's member id: a lower-case DNS label.")],
    listen: Annotated[str, typer.Option(help="HOST:PORT to serve on.")] = DEFAULT_LISTEN,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Make this node's home: its keys, its configuration, and a policy that allows nothing."""
    own = NodeKeys.generate()
    made = Home.init(home.expanduser(), member, keys=own.to_pem(), listen=listen)
    write_atomic(made.policy_file, DEFAULT_POLICY.encode())
    result = {"home": str(made.path), "member": member, "listen": listen}

    def show() -> None:
        stdout.print(f"[bold]{member}[/] lives in {made.path}")
        stdout.print("next    cosight alliance create NAME      to found an alliance")
        stdout.print("        cosight alliance join INVITATION  to join one")
        stdout.print(f"        edit {made.policy_file}: it allows nothing yet")

    emit(as_json, result, show)


@alliance_app.command()
def create(
    name: Annotated[
        str, typer.Argument(help="The alliance's name: a lower-case DNS name, such as threats.example.")
    ],
    address: Annotated[str | None, typer.Option(help="HOST:PORT where the others reach this node.")] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Found an alliance: its root key, and a first roster with us alone."""
    here, own = _open(home)
    root = keys.generate_ca_key()
    genesis = membership.create_alliance(name, here.member, own, root, utc_now(), address=address)
    Alliance.begin(here, [genesis.encode()])
    write_atomic(here.key_file(ROOT_KEY), keys.to_pem(root))
    headline = f"{name} is founded; its root key is {here.key_file(ROOT_KEY)}: back it up, keep it offline"
    _report(Alliance(here, own, utc_now), as_json, headline)


@alliance_app.command()
def invite(
    out: OutOption = Path("invitation.cosight"),
    member: Annotated[str | None, typer.Option(help="The only member id that may use it.")] = None,
    days: Annotated[int, typer.Option(min=1, max=365, help="How long it is good.")] = 14,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Write an invitation for one newcomer (administrators)."""
    alliance = _alliance(home)
    text = joining.make_invitation(
        alliance.chain(), alliance.member, alliance.keys, utc_now(),
        rosters=alliance.signed(), member=member, life=timedelta(days=days),
    )  # fmt: skip
    _write(out, text)
    fingerprint = joining.alliance_fingerprint(alliance.chain())

    def show() -> None:
        stdout.print(f"invitation written to [bold]{out}[/], good for {days} days and one member")
        stdout.print(f"send it; by telephone, have the newcomer read to you: [bold]{fingerprint}[/]")

    emit(as_json, {"file": str(out), "alliance": alliance.alliance, "fingerprint": fingerprint}, show)


@alliance_app.command()
def join(
    file: Annotated[Path, typer.Argument(help="An invitation, or the approval that answered our request.")],
    out: OutOption = Path("join-request.cosight"),
    address: Annotated[str | None, typer.Option(help="HOST:PORT where the others reach this node.")] = None,
    yes: YesOption = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Answer an invitation with a join request, or take up an approval (members: the latest roster, too)."""
    here, own = _open(home)
    text = _read(file)
    if files.kind_of(text) is Kind.APPROVAL:
        _take_up(here, own, text, as_json)
        return
    invitation = joining.read_invitation(text, utc_now())
    name, fingerprint = invitation.chain.current.alliance, invitation.fingerprint
    _confirm(
        f"{name}, invited by {invitation.token.inviter}, has the fingerprint {fingerprint}.", yes, as_json
    )
    _write(out, joining.make_join_request(invitation, here.member, own, address=address))
    ours = joining.own_fingerprint(name, here.member, own)
    _remember_genesis(here, invitation.token.genesis)

    def show() -> None:
        stdout.print(f"join request written to [bold]{out}[/]; send it to {invitation.token.inviter}")
        stdout.print(f"and read to them by telephone: [bold]{ours}[/]")
        stdout.print("when the approval comes: cosight alliance join APPROVAL")

    result = {"file": str(out), "alliance": name, "alliance_fingerprint": fingerprint, "fingerprint": ours}
    emit(as_json, result, show)


@alliance_app.command()
def approve(
    file: Annotated[Path, typer.Argument(help="A join request, or a proposed roster to countersign.")],
    out: OutOption = Path("approval.cosight"),
    admin: Annotated[bool, typer.Option("--admin", help="The newcomer becomes an administrator.")] = False,
    quorum: Annotated[
        int | None, typer.Option(min=1, help="Signatures that rosters need from now on.")
    ] = None,
    yes: YesOption = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Admit a newcomer, or add our signature to a proposed roster (administrators)."""
    alliance = _alliance(home)
    text = _read(file)
    if files.kind_of(text) is Kind.PROPOSAL:
        proposal = files.read_proposal(text)
        review = membership.review(alliance.chain(), proposal)
        _confirm(_in_words(review), yes, as_json)
        signed = membership.countersign(alliance.chain(), proposal, alliance.member, alliance.keys)
    else:
        request = joining.read_join_request(text, alliance.chain(), utc_now())
        newcomer = request.newcomer
        _confirm(f"{newcomer.id} asks to join with the fingerprint {request.fingerprint}.", yes, as_json)
        if admin:
            newcomer = replace(newcomer, role=Role.ADMINISTRATOR)
        signed = membership.admit(
            alliance.chain(), alliance.member, alliance.keys, root_key(alliance_home(home)), newcomer,
            request.ca_key, utc_now(), quorum=quorum,
        )  # fmt: skip
    _publish(alliance, signed, out, as_json)


@alliance_app.command()
def revoke(
    member: Annotated[str, typer.Argument(help="Who leaves. Its name and keys stay barred.")],
    out: OutOption = Path("approval.cosight"),
    yes: YesOption = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Take a member off the roster, at once for every node that hears of it (administrators)."""
    alliance = _alliance(home)
    alliance.member_named(member)
    _confirm(f"{member} leaves {alliance.alliance} for good.", yes, as_json)
    signed = membership.revoke(alliance.chain(), alliance.member, alliance.keys, [member], utc_now())
    _publish(alliance, signed, out, as_json)


@alliance_app.command()
def roster(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Show who is in."""
    _report(_alliance(home), as_json, None)


def alliance_home(path: Path) -> Home:
    """The home at this path, ``~`` and all."""
    return Home.open(path.expanduser())


def _open(path: Path) -> tuple[Home, NodeKeys]:
    here = alliance_home(path)
    return here, node_keys(here)


def _alliance(path: Path) -> Alliance:
    here, own = _open(path)
    return Alliance(here, own, utc_now)


def _take_up(here: Home, own: NodeKeys, text: bytes, as_json: bool) -> None:
    """An approval: our first rosters, or newer ones."""
    rosters = files.read_approval(text)
    try:
        Alliance(here, own, utc_now).adopt(rosters)
    except ConfigError as e:
        if e.code != "no-alliance":
            raise
        chain = _remembered_chain(here, rosters)
        joining.check_admitted(chain.current, here.member, own)
        Alliance.begin(here, rosters)
    alliance = Alliance(here, own, utc_now)
    joining.check_admitted(alliance.current(), here.member, own)
    _report(alliance, as_json, f"{here.member} is in {alliance.alliance}")


def _remember_genesis(here: Home, genesis: bytes) -> None:
    """Keep what the invitation promised until the approval comes: the only reason to believe it."""
    write_atomic(here.rosters / "genesis", genesis.hex().encode())


def _remembered_chain(here: Home, rosters: tuple[bytes, ...]) -> RosterChain:
    try:
        genesis = bytes.fromhex((here.rosters / "genesis").read_text())
    except (OSError, ValueError):
        raise MembershipError(
            "this home has answered no invitation", hint="run: cosight alliance join INVITATION"
        ) from None
    return RosterChain.begin(genesis, rosters[0]).adopt(rosters[1:])


def _publish(alliance: Alliance, signed: SignedRoster, out: Path, as_json: bool) -> None:
    """Put a roster in force and write the approval, or the proposal if it still lacks signatures."""
    chain = alliance.chain()
    complete = membership.is_complete(chain, signed)
    if complete:
        alliance.adopt([signed.encode()])
        _write(out, files.write_approval(alliance.signed()))
    else:
        _write(out, files.write_proposal(signed))
    missing = max(0, chain.current.quorum - len(signed.signatures))
    epoch = chain.current.epoch + 1
    result = {"file": str(out), "epoch": epoch, "in_force": complete, "missing_signatures": missing}

    def show() -> None:
        if complete:
            stdout.print(f"roster {epoch} is in force here; approval written to [bold]{out}[/]")
            stdout.print("send it to the newcomer; nodes also pass it on when they greet each other")
        else:
            stdout.print(
                f"proposal for roster {epoch} written to [bold]{out}[/]: {missing} signature(s) missing"
            )
            stdout.print("another administrator signs it with: cosight alliance approve FILE")

    emit(as_json, result, show)


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


def _confirm(what: str, yes: bool, as_json: bool) -> None:
    """Have a person look before something is trusted."""
    stderr.print(what, markup=False, highlight=False)
    if yes:
        return
    if as_json or not stderr.is_terminal:
        raise MembershipError(
            "this needs a person's word", hint="compare the fingerprint by telephone, then add --yes"
        )
    typer.confirm("Does this agree with what you were told by telephone?", abort=True, err=True)


def _report(alliance: Alliance, as_json: bool, headline: str | None) -> None:
    current = alliance.current()
    members = [
        {"member": m.id, "role": str(m.role), "address": m.address, "fingerprint": fingerprint_of(current, m)}
        for m in current.members
    ]
    fingerprint = joining.alliance_fingerprint(alliance.chain())
    result: dict[str, Any] = {
        "alliance": current.alliance, "epoch": current.epoch, "quorum": current.quorum,
        "fingerprint": fingerprint, "roster_hash": current.hash.hex(), "members": members,
        "revoked": [{"member": r.id, "epoch": r.epoch} for r in current.revoked],
    }  # fmt: skip

    def show() -> None:
        if headline:
            stdout.print(headline)
        listed = table(
            f"{current.alliance}, roster {current.epoch}, quorum {current.quorum}",
            "member", "role", "address", "fingerprint",
        )  # fmt: skip
        for m in members:
            us = " (we)" if m["member"] == alliance.member else ""
            listed.add_row(f"{m['member']}{us}", str(m["role"]), m["address"] or "-", m["fingerprint"])
        stdout.print(listed)
        for r in current.revoked:
            stdout.print(f"[dim]{r.id} was revoked with roster {r.epoch}[/]")
        stdout.print(f"alliance fingerprint {fingerprint}")

    emit(as_json, result, show)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(2 * files.MAX_FILE_BYTES + 1)
    except OSError as e:
        raise ConfigError(f"cannot read {path}: {e.strerror}", code="file-unreadable") from e


def _write(path: Path, data: bytes) -> None:
    write_atomic(path, data, mode=0o644)
