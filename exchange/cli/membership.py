"""``init`` and ``alliance``: keys, and who is in. Everything works with files that travel by e-mail."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli import SET_UP, app
from exchange.cli.home import confirm, open_alliance, open_keys, read_file, write_file
from exchange.cli.output import DEFAULT_HOME, HomeOption, JsonOption, emit, say, stdout, table
from exchange.clock import utc_now
from exchange.config import DEFAULT_LISTEN, ROOT_KEY, Home, write_atomic, write_once
from exchange.errors import ConfigError, MembershipError
from exchange.identity import files, joining, keys, membership
from exchange.identity.encoding import Kind
from exchange.identity.keys import NodeKeys
from exchange.identity.membership import fingerprint_of
from exchange.identity.rules import RosterChain
from exchange.policy import DEFAULT_POLICY
from exchange.store.alliance import Alliance

alliance_app = typer.Typer(help="Who is in the alliance, and how it changes.", no_args_is_help=True)
app.add_typer(alliance_app, name="alliance", rich_help_panel=SET_UP)

OutOption = Annotated[Path, typer.Option("--out", "-o", help="The file to write.")]
YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask; the fingerprints were compared already.")
]


@app.command(rich_help_panel=SET_UP)
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
        say((member, "bold"), f" lives in {made.path}")
        say("next    cosight alliance create NAME      to found an alliance")
        say("        cosight alliance join INVITATION  to join one")
        say(f"        edit {made.policy_file}: it allows nothing yet")

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
    here, own = open_keys(home)
    root = keys.generate_ca_key()
    genesis = membership.create_alliance(name, here.member, own, root, utc_now(), address=address)
    _check_free(here, own)
    if not write_once(here.key_file(ROOT_KEY), keys.to_pem(root)):
        raise ConfigError(
            f"{here.key_file(ROOT_KEY)} exists: it may be the root of another alliance",
            code="alliance-exists",
            hint="if an earlier create was interrupted, move it away; otherwise choose another --home",
        )
    Alliance.begin(here, [genesis.encode()])
    headline = f"{name} is founded; its root key is {here.key_file(ROOT_KEY)}: back it up, keep it offline"
    _report(Alliance(here, own, utc_now), as_json, headline)
    if address is None and not as_json:
        change = f"cosight alliance change --address {here.member}=HOST:PORT"
        say(
            "nobody is told where this node is reached: to be dialled, or drawn in a discovery, run",
            style="dim",
        )
        say(f"        {change}")


@alliance_app.command()
def invite(
    out: OutOption = Path("invitation.cosight"),
    member: Annotated[str | None, typer.Option(help="The only member id that may use it.")] = None,
    days: Annotated[int, typer.Option(min=1, max=365, help="How long it is good, in days.")] = 14,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Write an invitation for one newcomer (administrators)."""
    alliance = open_alliance(home)
    text = joining.make_invitation(
        alliance.chain(), alliance.member, alliance.keys, utc_now(),
        rosters=alliance.signed(), member=member, life=timedelta(days=days),
    )  # fmt: skip
    write_file(out, text)
    fingerprint = joining.alliance_fingerprint(alliance.chain())

    def show() -> None:
        say("invitation written to ", (str(out), "bold"), f", good for {days} days and one member")
        say("send it; by telephone, have the newcomer read to you the alliance's fingerprint:")
        say(f"        {fingerprint}", style="bold")

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
    here, own = open_keys(home)
    text = read_file(file)
    kind = files.kind_of(text)
    if kind is Kind.APPROVAL:
        _take_up(here, own, text, as_json)
        return
    if kind is Kind.PROPOSAL:
        raise MembershipError(
            f"{file} is a proposed roster that signatures are still missing from",
            code="file-kind",
            hint="an administrator signs it with: cosight alliance approve FILE",
        )
    invitation = joining.read_invitation(text, utc_now())
    name, fingerprint = invitation.chain.current.alliance, invitation.fingerprint
    confirm(
        f"{name}, to which {invitation.token.inviter} invites, has the fingerprint {fingerprint}",
        yes,
        as_json,
    )
    write_file(out, joining.make_join_request(invitation, here.member, own, address=address))
    ours = joining.own_fingerprint(name, here.member, own)
    _remember_genesis(here, invitation.token.genesis)

    def show() -> None:
        say("join request written to ", (str(out), "bold"), f"; send it to {invitation.token.inviter}")
        say("and read to them by telephone our own fingerprint:")
        say(f"        {ours}", style="bold")
        say("next    cosight alliance join APPROVAL    when the approval comes")

    result = {"file": str(out), "alliance": name, "alliance_fingerprint": fingerprint, "fingerprint": ours}
    emit(as_json, result, show)


@alliance_app.command()
def roster(home: HomeOption = DEFAULT_HOME, as_json: JsonOption = False) -> None:
    """Show who is in, with the fingerprints to compare by telephone."""
    _report(open_alliance(home), as_json, None)


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


def _check_free(here: Home, own: NodeKeys) -> None:
    """Refuse to found an alliance in a home that is in one."""
    try:
        alliance = Alliance(here, own, utc_now).alliance
    except ConfigError as e:
        if e.code != "no-alliance":
            raise
        return
    raise ConfigError(
        f"{here.member} is in {alliance} already", code="alliance-exists", hint="choose another --home"
    )


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


def _report(alliance: Alliance, as_json: bool, headline: str | None) -> None:
    current = alliance.current()
    members = [
        {"member": m.id, "role": str(m.role), "address": m.address, "fingerprint": fingerprint_of(current, m)}
        for m in current.members
    ]
    chain = alliance.chain()
    fingerprint, first = joining.alliance_fingerprint(chain), chain.hashes[0].hex()
    result: dict[str, Any] = {
        "alliance": current.alliance, "epoch": current.epoch, "quorum": current.quorum,
        "fingerprint": fingerprint, "roster_hash": current.hash.hex(), "first_roster": first,
        "members": members,
        "revoked": [{"member": r.id, "epoch": r.epoch} for r in current.revoked],
    }  # fmt: skip

    def show() -> None:
        if headline:
            say(headline)
        say((f"{current.alliance}, roster {current.epoch}, quorum {current.quorum}", "bold"))
        listed = table("", "member", "role", "reached at")
        fingerprints = table("", "fingerprint", "of")
        fingerprints.columns[0].no_wrap = True
        fingerprints.add_row(fingerprint, f"{current.alliance} (the alliance)")
        for m in members:
            us = " (we)" if m["member"] == alliance.member else ""
            listed.add_row(f"{m['member']}{us}", str(m["role"]), m["address"] or "-")
            fingerprints.add_row(m["fingerprint"], m["member"])
        stdout.print(listed)
        stdout.print(fingerprints)
        for which, roster in (("first roster", first), ("in force", current.hash.hex())):
            say((f"{which:<12}  {roster}", "dim"))
        for r in current.revoked:
            say((f"{r.id} was revoked with roster {r.epoch}", "dim"))

    emit(as_json, result, show)
