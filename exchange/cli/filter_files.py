"""``filter export``, ``import`` and ``check``: filters in the forms of other tools, as files."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli.export import MARKINGS, marking, reasons
from exchange.cli.filter import SHOWN, filter_app, given
from exchange.cli.home import check_writable, open_home
from exchange.cli.output import DEFAULT_HOME, HomeOption, JsonOption, counting, emit, say, stderr, waiting
from exchange.clock import utc_now
from exchange.config import Home, make_folder, read_secret, write_atomic
from exchange.errors import ConfigError, InputError
from exchange.indicators import PROFILE, Indicator, IndicatorType, Refused, Tlp, recognise
from exchange.indicators.context import Pap
from exchange.interchange import SHARED_KEY, UNKEYED
from exchange.interchange.bloom_filter2 import BloomFilter2, Probes
from exchange.interchange.dcso import DcsoFilter
from exchange.interchange.foreign import ForeignFilter, Form, Held, Numbers
from exchange.interchange.pss import DEFAULT_KEY, Meta, PrivateSearchSet
from exchange.policy import Admission, Offer
from exchange.store.foreign import ForeignFilters, read_path
from exchange.store.home import open_store
from exchange.store.warninglists import node_lists

GUESSES = "--anyone-may-guess"
_AT_ONCE = 4096
_MISP_TYPES = {
    IndicatorType.IPV4: "ip-dst", IndicatorType.IPV6: "ip-dst", IndicatorType.CIDR: "ip-dst",
    IndicatorType.DOMAIN: "domain", IndicatorType.URL_HOST: "hostname", IndicatorType.URL: "url",
    IndicatorType.EMAIL: "email", IndicatorType.MD5: "md5", IndicatorType.SHA1: "sha1",
    IndicatorType.SHA224: "sha224", IndicatorType.SHA256: "sha256", IndicatorType.SHA384: "sha384",
    IndicatorType.SHA512: "sha512", IndicatorType.CVE: "vulnerability",
}  # fmt: skip

ProbesOption = Annotated[
    Probes, typer.Option(help="Of bloom-filter2: which function of the package asks it: primes or twister.")
]
KeyOption = Annotated[
    Path | None, typer.Option(help="Of pss: a file with the key, that nobody else can read (mode 0600).")
]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be written.

    Attributes:
        form: in which form.
        fpr: at which rate of false positives.
        capacity: for how many values; as many as there are, if ``None``.
        probes: of ``bloom-filter2``.
        key: of a Private Search Set.
    """

    form: Form
    fpr: float
    capacity: int | None
    probes: Probes
    key: str


@filter_app.command("export")
def export_(
    file: Annotated[Path, typer.Argument(help="The file to write; of pss, the folder to make.")],
    form: Annotated[Form, typer.Option("--format", metavar="FORM", help=", ".join(Form))],
    fpr: Annotated[float, typer.Option(help="How many strangers may seem to be in: 0.001, one of 1,000.")],
    types: Annotated[
        list[IndicatorType] | None,
        typer.Option("--type", metavar="TYPE", help="Only this type; may be repeated."),
    ] = None,
    tlp_max: Annotated[str, typer.Option(help=f"Leave out what is more closed: {MARKINGS}.")] = Tlp.CLEAR,
    pap_max: Annotated[
        Pap | None, typer.Option(metavar="PAP", help="Leave out what is more closed: " + ", ".join(Pap))
    ] = None,
    capacity: Annotated[
        int | None, typer.Option(min=1, help="For how many values; as many as there are, if left out.")
    ] = None,
    probes: ProbesOption = Probes.PRIMES,
    key_file: KeyOption = None,
    anyone: Annotated[
        bool, typer.Option(GUESSES, help="Do not ask: whoever has the file may test guesses for ever.")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Write what we hold as a filter for another tool. Whoever has the file can test any guess, unseen."""
    if (form is Form.PSS) != (key_file is not None):
        raise typer.BadParameter("pss needs one, and nothing else has one", param_hint="--key-file")
    ceiling = marking(tlp_max, "--tlp-max")
    opened = open_home(home)
    _check_target(file, form)
    wanted = Wanted(form, fpr, capacity, probes, DEFAULT_KEY if key_file is None else _key(key_file))
    with waiting("choosing what goes in", as_json):
        chosen, offer = _chosen(opened, types, Admission(tlp=ceiling, pap=pap_max))
    if not chosen:
        raise ConfigError(
            "nothing of ours may go into that file" if offer.withheld else "we hold no indicators",
            code="empty-store",
            hint=f"held back: {reasons(offer.held_back)}; see --tlp-max"
            if offer.withheld
            else "cosight import FILE",
        )
    warning = SHARED_KEY if form is Form.PSS else UNKEYED
    _confirm(warning, len(chosen), anyone, as_json)
    with waiting(f"writing {len(chosen):,} values", as_json):
        made = ForeignFilter(_made(chosen, wanted, opened.member, utc_now()), wanted.key)
        written = _write(file, made.held)
    numbers = {"probes": str(probes)} if form is Form.BLOOM_FILTER2 else {}
    result = {
        "file": str(file),
        "format": str(form),
        "items": len({one.value for one in chosen}),
        "capacity": made.capacity,
        "stated_fpr": made.stated_fpr,
        "fpr": made.fpr,
        "bytes": written,
        "by_type": {str(kind): n for kind, n in offer.entered.items()},
        "held_back": offer.held_back,
        "warning": warning,
    } | numbers

    def show() -> None:
        say((f"{result['items']:,} values", "bold"), f" written to {file} as {form}: {written:,} bytes")
        say(f"whoever reads it needs: capacity {made.capacity}, rate {made.stated_fpr:g}", *(
            [f", probes {probes}"] if numbers else []))  # fmt: skip
        if offer.withheld:
            say((f"held back: {reasons(offer.held_back)}", "dim"), on=stderr)

    emit(as_json, result, show)


@filter_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A filter of another tool; of pss, the folder.")],
    name: Annotated[
        str | None, typer.Option(help="What to call it; if left out, as the file is called.")
    ] = None,
    capacity: Annotated[
        int | None, typer.Option(min=1, help="Of bloom-filter2: for how many values it was made.")
    ] = None,
    fpr: Annotated[float | None, typer.Option(help="Of bloom-filter2: the rate it was made for.")] = None,
    probes: ProbesOption = Probes.PRIMES,
    key_file: KeyOption = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Take in a filter of another tool, so that `filter check` can ask it. Nothing in it is a match's."""
    if (capacity is None) != (fpr is None):
        raise typer.BadParameter("bloom-filter2 needs both", param_hint="--capacity, --fpr")
    numbers = None if capacity is None or fpr is None else Numbers(capacity, fpr, probes)
    key = DEFAULT_KEY if key_file is None else _key(key_file)
    called = file.absolute().name.lower() if name is None else name
    kept = ForeignFilters(open_home(home))
    replaced = called in kept.names()
    with waiting(f"reading {file}", as_json):
        found = kept.put(called, read_path(file), numbers=numbers, key=key)
        result = _as_json(called, found) | {"replaced": replaced, "description": found.description}

    def show() -> None:
        items = "" if found.items is None else f", with {found.items:,} in it"
        say((called, "bold"), f": {found.form} for {found.capacity:,} values{items}")
        if found.description:
            say(f"its maker says: {found.description}")
        say(f"a value that is not in it seems to be with a probability of {found.fpr:.3g}", *(
            [f", not {found.stated_fpr:g} as it was made for"] if found.fpr > 2 * found.stated_fpr else []
        ))  # fmt: skip
        say(f"ask it: cosight filter check {called} VALUE...")

    emit(as_json, result, show)


@filter_app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="What the filter was called when it was imported.")],
    values: Annotated[
        list[str], typer.Argument(metavar="VALUE...|-", help="Values; - for one a line on standard input.")
    ],
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> None:
    """Ask a filter that was imported. Nothing leaves this machine.

    A value is asked about as it stands and in its canonical form, since filters of others hold either.
    """
    found = ForeignFilters(open_home(home)).open(name)
    asked, hits = 0, list[dict[str, str]]()
    with counting(f"asking {name}", as_json) as count:
        asking = (value for text in given(values) if (value := text.strip()))
        while some := list(islice(asking, _AT_ONCE)):
            asked += len(some)
            hits += _hits(found, some)
            count(asked)
    fpr = found.fpr

    def show() -> None:
        for hit in hits[:SHOWN]:
            say((hit["value"], "bold"), f"  seems to be in {name}", _as(hit))
        if len(hits) > SHOWN:
            say((f"and {len(hits) - SHOWN:,} more: --json prints all", "dim"))
        say(f"{len(hits):,} of {asked:,} seem to be in; each is a stranger with a probability of {fpr:.3g}")

    emit(as_json, _as_json(name, found) | {"asked": asked, "found": hits}, show)


def _as(hit: dict[str, str]) -> str:
    return "" if hit["as"] == hit["value"] else f" as {hit['as']}"


def _as_json(name: str, found: ForeignFilter) -> dict[str, Any]:
    return {
        "filter": name, "format": str(found.form), "capacity": found.capacity, "items": found.items,
        "stated_fpr": found.stated_fpr, "fpr": found.fpr,
    }  # fmt: skip


def _hits(found: ForeignFilter, values: Sequence[str]) -> list[dict[str, str]]:
    """The values that seem to be in, each with the spelling that is."""
    spelt = [(value, spelling) for value in values for spelling in _spellings(value)]
    hits: dict[str, str] = {}
    for (value, spelling), is_in in zip(spelt, found.contains([s for _, s in spelt]), strict=True):
        if is_in:
            hits.setdefault(value, spelling)
    return [{"value": value, "as": spelling} for value, spelling in hits.items()]


def _spellings(value: str) -> list[str]:
    """The value as it stands, and in its canonical form if it has another one."""
    try:
        canonical = recognise(value).value
    except Refused:
        return [value]
    return list(dict.fromkeys((value, canonical)))


def _chosen(
    home: Home, types: Sequence[IndicatorType] | None, admission: Admission
) -> tuple[list[Indicator], Offer]:
    """What may go in, and what is held back by which rule."""
    store, now, wanted = open_store(home), utc_now(), list(types or IndicatorType)
    try:
        store.screen(node_lists(home))
        offer = store.offer(wanted, now=now, admission=admission)
        return store.values(store.item_set(wanted, now=now, admission=admission).ids), offer
    finally:
        store.close()


def _made(chosen: Sequence[Indicator], wanted: Wanted, member: str, now: datetime) -> Held:
    """The filter. Its values are in the order of the alphabet, which tells nothing of imports."""
    values = sorted({one.value for one in chosen})
    capacity = wanted.capacity or len(values)
    if wanted.form is Form.BLOOM_FILTER2:
        told: dict[str, Any] = {"capacity": capacity, "error_rate": wanted.fpr, "probes": wanted.probes}
        return BloomFilter2.build(values, **told)
    if wanted.form is Form.DCSO:
        return DcsoFilter.build(values, capacity=capacity, fpr=wanted.fpr)
    misp = tuple(sorted({_MISP_TYPES.get(one.type, "text") for one in chosen}))
    meta = Meta(
        keyid="shared out of band", description=f"indicators of {member}", generated=now,
        canonicalization=PROFILE, misp_types=misp,
    )  # fmt: skip
    return PrivateSearchSet.build(values, meta, key=wanted.key, capacity=capacity, fpr=wanted.fpr)


def _write(file: Path, held: Held) -> int:
    """Write the file, or the folder. Returns how many bytes."""
    if not isinstance(held, PrivateSearchSet):
        data = held.to_bytes()
        write_atomic(file, data)
        return len(data)
    make_folder(file, hint="choose another name")
    files = held.files()
    for name, data in files.items():
        write_atomic(file / name, data)
    return sum(map(len, files.values()))


def _check_target(file: Path, form: Form) -> None:
    """Find out before the work whether the result can be written."""
    if form is not Form.PSS:
        check_writable(file)
    elif file.exists() and (not file.is_dir() or any(file.iterdir())):
        raise ConfigError(f"{file} is there already", code="file-exists", hint="name a folder that is not")


def _confirm(warning: str, count: int, anyone: bool, as_json: bool) -> None:
    """Have a person see the warning before the file exists.

    Raises:
        ConfigError: nobody can be asked, and the option was not given.
    """
    if not as_json:
        say((warning, "bold red"), on=stderr)
    if anyone:
        return
    if as_json or not sys.stdin.isatty():
        raise ConfigError(
            f"nobody said that whoever has the file may test guesses at {count:,} indicators of ours",
            code="unconfirmed",
            hint=f"if you would give them the list itself, add {GUESSES}",
        )
    typer.confirm("Would you give them the list itself?", abort=True, err=True)


def _key(path: Path) -> str:
    """The key in a file, without the line end behind it."""
    try:
        return read_secret(path).decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise InputError(f"{path} holds no key: not UTF-8", code="filter-parameters") from None
