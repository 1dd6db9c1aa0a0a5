"""``light``: a member without a node, in one file."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli import SET_UP, app
from exchange.cli.home import confirm, open_home, read_file, write_file
from exchange.cli.member_file import (
    PassphraseOption,
    StateOption,
    asked_passphrase,
    read_light,
    secret_file,
    state_folder,
)
from exchange.cli.membership import YesOption
from exchange.cli.output import DEFAULT_HOME, HomeOption, JsonOption, emit, say, stderr, stdout, table
from exchange.clock import utc_now
from exchange.config import write_atomic, write_once
from exchange.errors import ConfigError
from exchange.identity import files, joining
from exchange.identity.encoding import Kind
from exchange.identity.keys import NodeKeys
from exchange.identity.light import LightMember, is_sealed
from exchange.light import OWN_NETWORK, light_policy, pack
from exchange.policy import parse

light_app = typer.Typer(
    help="A member without a node, in one file: it asks others with `cosight lookup --alliance`.",
    no_args_is_help=True,
)
app.add_typer(light_app, name="light", rich_help_panel=SET_UP)

DEFAULT_FILE = Path("member.cosight")
REQUEST = Path("join-request.cosight")

FileOption = Annotated[
    Path, typer.Option("--alliance", help="The one file of the member: keys, rosters, policy.")
]


@light_app.command("join")
def join(
    file: Annotated[Path, typer.Argument(help="An invitation, or the approval that answered our request.")],
    member: Annotated[str | None, typer.Option(help="Our member id: a lower-case DNS label.")] = None,
    alliance: FileOption = DEFAULT_FILE,
    request: Annotated[Path, typer.Option(help="The join request to write.")] = REQUEST,
    policy: Annotated[
        Path | None, typer.Option(help="Our policy; if left out, one that may ask everybody.")
    ] = None,
    legal_basis: Annotated[
        str, typer.Option(help="Why we may handle addresses, which are personal data; goes into the policy.")
    ] = OWN_NETWORK,
    seal: Annotated[
        bool, typer.Option("--passphrase", help="Seal the file with a passphrase, which is asked for.")
    ] = False,
    passphrase_file: PassphraseOption = None,
    state: StateOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Answer an invitation: make our keys, in one file, and a join request. Or take up the approval."""
    text = read_file(file)
    if files.kind_of(text) is Kind.APPROVAL:
        _take_up(alliance, text, passphrase_file, state, as_json)
        return
    if member is None:
        raise typer.BadParameter("say what we are to be called", param_hint="--member")
    invitation = joining.read_invitation(text, utc_now())
    name, fingerprint = invitation.chain.current.alliance, invitation.fingerprint
    if alliance.exists():
        raise _exists(alliance)
    own = NodeKeys.generate()
    written = joining.make_join_request(invitation, member, own)
    text_of_policy = light_policy(legal_basis) if policy is None else read_file(policy).decode()
    parse(text_of_policy)
    asked = f"{name}, to which {invitation.token.inviter} invites, has the fingerprint {fingerprint}"
    confirm(asked, yes, as_json)
    light = LightMember(
        member, own.to_pem(), invitation.token.genesis, invitation.rosters, {}, text_of_policy
    )
    if not write_once(alliance, light.write(_new_passphrase(passphrase_file, as_json, seal=seal))):
        raise _exists(alliance)
    write_file(request, written)
    ours = joining.own_fingerprint(name, member, own)

    def show() -> None:
        say("our keys are in ", (str(alliance), "bold"), ": keep it as you keep a password")
        say("join request written to ", (str(request), "bold"), f"; send it to {invitation.token.inviter}")
        say("and read to them by telephone our own fingerprint:")
        say(f"        {ours}", style="bold")
        say("next    cosight light join APPROVAL    when the approval comes")

    result = {
        "file": str(alliance), "request": str(request), "member": member, "alliance": name,
        "alliance_fingerprint": fingerprint, "fingerprint": ours,
    }  # fmt: skip
    emit(as_json, result, show)


@light_app.command("pack")
def pack_(
    alliance: FileOption = DEFAULT_FILE,
    seal: Annotated[
        bool, typer.Option("--passphrase", help="Seal the file with a passphrase, which is asked for.")
    ] = False,
    passphrase_file: PassphraseOption = None,
    state: StateOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Make a light member of a home that has joined and asked nobody yet. Do not use the home any more."""
    light = pack(open_home(home), utc_now())
    if alliance.exists() or not write_once(
        alliance, light.write(_new_passphrase(passphrase_file, as_json, seal=seal))
    ):
        raise _exists(alliance)
    _report(alliance, light, state, as_json)
    if not as_json:
        say(f"do not use {home} any more: two of one member look like a fork", style="yellow", on=stderr)


@light_app.command("show")
def show_(
    alliance: FileOption = DEFAULT_FILE,
    passphrase_file: PassphraseOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say who a file makes us, whom it knows, and where what we did is written."""
    _report(alliance, read_light(alliance, passphrase_file, as_json), state, as_json)


def _take_up(
    file: Path, approval: bytes, passphrase_file: Path | None, state: Path | None, as_json: bool
) -> None:
    """Put the rosters of an approval into the file, which stays sealed or open as it was."""
    data = secret_file(file)
    given: list[str] = []

    def passphrase() -> str:
        given.append(asked_passphrase(passphrase_file, as_json))
        return given[0]

    light = LightMember.read(data, passphrase)
    chain, rosters = joining.read_approval(approval, light.genesis)
    joining.check_admitted(chain.current, light.member, light.keys)
    if len(rosters) >= len(light.rosters):
        light = replace(light, rosters=rosters)
        write_atomic(file, light.write(given[0] if given else None))
    _report(file, light, state, as_json)


def _report(file: Path, light: LightMember, state: Path | None, as_json: bool) -> None:
    chain = light.chain()
    roster, folder = chain.current, state_folder(light, state)
    members: list[dict[str, Any]] = [
        {"member": m.id, "address": light.peers.get(m.id) or m.address}
        for m in roster.members
        if m.id != light.member
    ]
    result = {
        "file": str(file), "sealed": is_sealed(secret_file(file)), "member": light.member,
        "admitted": light.member in roster.by_id, "alliance": roster.alliance, "epoch": roster.epoch,
        "alliance_fingerprint": joining.alliance_fingerprint(chain),
        "fingerprint": joining.own_fingerprint(roster.alliance, light.member, light.keys),
        "members": members, "state": str(folder),
    }  # fmt: skip

    def show() -> None:
        admitted = (
            f"is in {roster.alliance}" if result["admitted"] else f"has asked {roster.alliance} to join"
        )
        say((light.member, "bold"), f" {admitted}, roster {roster.epoch}: {file}")
        say(("alliance  ", "dim"), str(result["alliance_fingerprint"]))
        say(("we        ", "dim"), str(result["fingerprint"]))
        listed = table("", "member", "reached at")
        for m in members:
            listed.add_row(m["member"], m["address"] or "-")
        stdout.print(listed)
        say((f"what we ask is accounted for in {folder}", "dim"))

    emit(as_json, result, show)


def _exists(file: Path) -> ConfigError:
    return ConfigError(
        f"{file} exists: it may hold the keys of a member",
        code="file-exists",
        hint="choose another --alliance",
    )


def _new_passphrase(file: Path | None, as_json: bool, *, seal: bool) -> str | None:
    """What is to seal a new file; ``None``: nothing."""
    if file is None and not seal:
        return None
    return asked_passphrase(file, as_json, twice=True)
