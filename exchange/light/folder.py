"""The folder that belongs to the file of a light member on one machine: ledger, rosters, policy.

It is a home without keys: those stay in the file and, while a command runs, in memory. Its name follows from
who the member is, not from the file's bytes: whoever gets a newer file goes on with the same ledger. A second
folder for the same member would begin a second ledger, and every peer would see that as a fork.
"""

import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from exchange.clock import utc_now
from exchange.config import Home, Settings, make_folder, write_once
from exchange.errors import ConfigError, MembershipError
from exchange.identity.joining import check_admitted
from exchange.identity.keys import public_bytes
from exchange.identity.light import LightMember
from exchange.identity.roster import SignedRoster
from exchange.identity.rules import document_hash
from exchange.indicators import IndicatorType
from exchange.store.alliance import Alliance, node_keys
from exchange.store.ledger import LedgerReader

LIGHT_POLICY = """\
# What a light member asks. It never answers, so nothing of it is disclosed but how many values it asks about,
# of which types. Whatever is not stated here is refused; docs/policy.md explains every line.
version = 1

[peers."*"]
directions = ["initiator"]
reveal = "overlap"
learns = ["us"]
types = {types}
tlp = "AMBER"
legal_basis = "own-network"
protocols = ["voprf"]
our_size = {{ min = 1, max = 1_048_576 }}
peer_size = {{ min = 1, max = 4_294_967_296 }}
sessions_per_day = 1_000
on_alarm = "record"              # what we saw in our own log may well look counted

# Addresses are personal data: whoever is responsible for that decides whether this is so.
[legal_bases.own-network]
basis = "other"
reference = {reference}
"""
OWN_NETWORK = "security of our own network and systems"
"""The legal basis that stands in a policy unless another one is said."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_NAME_DIGITS = 32


@dataclass(frozen=True, slots=True)
class LightHome(Home):
    """A home whose keys are in memory alone.

    Attributes:
        pem: the private keys, by name.
    """

    pem: Mapping[str, bytes] = field(repr=False)

    def keys(self) -> dict[str, bytes]:
        """The private keys, PEM by name."""
        return dict(self.pem)


def light_policy(legal_basis: str = OWN_NETWORK) -> str:
    """The policy of a light member: it may ask everybody, of whom nobody learns anything but sizes.

    Args:
        legal_basis: why it may handle personal data, in words.
    """
    types = json.dumps(list(IndicatorType))
    return LIGHT_POLICY.format(types=types, reference=json.dumps(legal_basis, ensure_ascii=False))


def default_folder(light: LightMember) -> Path:
    """Where the folder of this member is unless somebody says otherwise.

    Raises:
        ConfigError: its keys are damaged.
    """
    who = light.genesis + light.member.encode() + public_bytes(light.keys.log)
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if Path(state).is_absolute() else Path("~/.local/state").expanduser()
    return base / "cosight" / "light" / sha256(who).hexdigest()[:_NAME_DIGITS]


def unpack(light: LightMember, folder: Path) -> LightHome:
    """The home of a light member, made if it is not there; newer rosters of the file are taken up.

    Two commands may do this at once. The policy of the file is taken once: afterwards the folder's counts.

    Args:
        light: what the file holds.
        folder: where.

    Raises:
        MembershipError: the approval is not in the file yet, or the roster has other keys.
        RosterError: a roster breaks a rule.
        ConfigError: the folder is another member's, can be read by others, or cannot be written.
    """
    _check_admitted(light)
    made = Home(folder, Settings(light.member))
    for part in (folder, made.rosters, made.key_file("").parent):
        make_folder(part, parents=True, hint="choose another --state")
    if stat.S_IMODE(folder.stat().st_mode) & _OTHERS:
        raise ConfigError(
            f"{folder} can be entered by others than its owner", code="key-exposed",
            hint=f"run: chmod 700 {folder}",
        )  # fmt: skip
    write_once(made.config_file, _config_of(light))
    write_once(made.policy_file, light.policy.encode())
    home = Home.open(folder)
    if home.member != light.member:
        raise ConfigError(f"{folder} belongs to {home.member}", hint="choose another --state")
    Alliance.begin(home, light.rosters[:1])
    Alliance(home, light.keys, utc_now).adopt(light.rosters)
    return LightHome(home.path, home.settings, light.pem)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other command asks from this folder; none does as long as the context lasts.

    A peer that is shown two states of one log at the same time may see the older one last, and that looks
    like a log that was cut.

    Raises:
        ConfigError: the folder cannot be written.
    """
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as e:
        raise ConfigError(f"cannot write {folder}: {e.strerror or e}", hint="choose another --state") from e
    with os.fdopen(descriptor) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def pack(home: Home, now: datetime) -> LightMember:
    """Everything of a home that a light member needs.

    Args:
        home: a home that is in an alliance and has no ledger yet.
        now: the time.

    Raises:
        ConfigError: the home is in no alliance, or something in it cannot be read.
        MembershipError: it has a ledger, which peers have seen and the file would not go on with.
    """
    own = node_keys(home)
    alliance = Alliance(home, own, lambda: now)
    check_admitted(alliance.current(), home.member, own)
    if home.ledger_file.exists():
        with LedgerReader.open_read_only(home.ledger_file) as reader:
            began = bool(reader.entries())
        if began:
            raise MembershipError(
                f"{home.path} has a ledger; a light member would begin another, and peers would see a fork",
                code="light-ledger",
                hint="join under another name: cosight light join INVITATION --member NAME",
            )
    signed = tuple(alliance.signed())
    genesis = document_hash(SignedRoster.decode(signed[0]))
    policy = home.policy_file.read_text()
    return LightMember(home.member, home.keys(), genesis, signed, dict(home.settings.peers), policy)


def _check_admitted(light: LightMember) -> None:
    try:
        check_admitted(light.chain().current, light.member, light.keys)
    except MembershipError as e:
        if e.code != "not-a-member" or not e.hint:
            raise
        raise MembershipError(
            str(e),
            code="not-a-member",
            hint="take up the approval when it comes: cosight light join APPROVAL",
        ) from None


def _config_of(light: LightMember) -> bytes:
    peers = "".join(f'{peer} = "{where}"\n' for peer, where in light.peers.items())
    return f"""\
# A light member, which asks and does not answer. Anything left out has the value shown in docs/operations.md.
member = "{light.member}"

# Where peers are reached, where it differs from what the roster says.
[peers]
{peers}""".encode()
