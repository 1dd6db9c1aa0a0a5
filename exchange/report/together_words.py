"""Sentences on a run with the alliance, from its facts."""

from collections.abc import Mapping
from typing import Any

from exchange.aggregation.round import STRICT
from exchange.ledger.runs import CUT_OFF, DISCOVER
from exchange.report.words import count, day, listed, moment

MEASURES = {
    "count": "how many members hold each entry of a dictionary",
    "sightings": "how often members saw each entry of a dictionary",
    "severity": "how often members saw each entry of a dictionary, weighted by their confidence",
    DISCOVER: "which indicators many members hold",
}
"""What is measured."""
SEEN_BY = {
    "owner": "the coordinator alone",
    "reporters": "the coordinator, and for each entry those that put one in",
    "everyone": "all that took part",
    "owner-and-host": "the coordinator and the administrators of the alliance",
}
"""To whom released numbers are shown."""
LEARNS = {
    "individual": "each member learned which of its own they are",
    "all": "those who hold them told them to all that took part",
    "collective": "only their number was told",
}
"""Who learns what a discovery finds."""
EVIDENCE = {
    "found": "we found it ourselves, or it was proved to us",
    "said": "the word of those who relayed and counted, without proof",
    "refused": "we were asked it, and refused",
}
"""What stands behind a name in the list of those who broke the rules."""


def words(run: Mapping[str, Any], us: str) -> list[str]:
    """Return sentences on one run: what was asked, what of ours went in, what came of it."""
    said = [_asked(run), _parts(run, us)]
    if run["before"]:
        before = listed(f"{one['reason'] or one['outcome']}" for one in run["before"])
        said.append(f"It was begun {len(run['before']) + 1} times; before, it was given up ({before}).")
    if "member" in run["roles"]:
        said += _entered(run, us) if run["asked"]["measure"] == DISCOVER else _put_in(run, us)
    said += _ended(run, us)
    return [sentence for sentence in (*said, _otherwise(run, us)) if sentence]


def _asked(run: Mapping[str, Any]) -> str:
    asked = run["asked"]
    what = MEASURES.get(asked["measure"], asked["measure"])
    if asked["measure"] == DISCOVER:
        strict = ", strictly" if asked["protocol"] == STRICT else ""
        who = f"the alliance of {count(asked['members'], 'member')} searched"
        what = f"which indicators at least {asked['threshold']} members hold{strict}"
        return f"On {moment(run['began'])} {who}: {what} ({listed(asked['types'])})."
    over = f" of {count(asked['entries'], 'entry', 'entries')}" if asked["entries"] else ""
    window = f"from {day(asked['first'])} to {day(asked['last'])} ({listed(asked['types'])})"
    who = f"{run['coordinator']} asked {count(asked['members'], 'member')}"
    return f"On {moment(run['began'])} {who}: {what}{over}, {window}."


def _parts(run: Mapping[str, Any], us: str) -> str:
    """What we were besides a member."""
    served = [role for role in run["roles"] if role != "member"]
    if run["asked"]["measure"] != DISCOVER or not served:
        return ""
    named = listed("key helper" if role == "helper" else role for role in served)
    return f"{us} was {named} in it."


def _entered(run: Mapping[str, Any], us: str) -> list[str]:
    if not run["brought"]:
        return [f"No batch of {us} left."]
    if run["entered"] is None:
        return [f"How many indicators of {us} went in is not in the ledger."]
    shown = f", shown as a set of at most {run['padded']:,}" if run["padded"] else ""
    held = _held(run)
    return [
        f"{count(sum(run['entered'].values()), 'indicator')} of {us} went in{shown}"
        + (f"; {held:,} were held back by rule." if held else ".")
    ]


def _held(run: Mapping[str, Any]) -> int:
    return sum(sum(types.values()) for types in run["withheld"].values())


def _put_in(run: Mapping[str, Any], us: str) -> list[str]:
    if run["entered"] is None:
        return [f"Nothing of {us} left."]
    total, held = sum(run["entered"].values()), _held(run)
    said = [
        f"{us} put in something for {count(total, 'entry', 'entries')}"
        + (f"; {count(held, 'entry', 'entries')} that it holds were held back by rule." if held else ".")
    ]
    if run["clipped"]:
        said.append(f"{count(run['clipped'], 'number')} were cut down to the largest that is taken.")
    if not run["shared"]:
        said.append(f"Its numbers left masked, and {us} gave no share with which the sum could be opened.")
    return said


def _ended(run: Mapping[str, Any], us: str) -> list[str]:
    asked = run["asked"]
    if run["outcome"] == "open":
        return ["There is no end in the ledger: the run goes on, or the node was stopped in the middle."]
    if run["outcome"] == "broken":
        return _broken(run)
    said = [f"Others went on without {listed(run['culprits'])}."] if run["culprits"] else []
    if run["accused"]:
        said.append(f"Relay and counter accuse {listed(run['accused'])}, without proof.")
    if asked["measure"] == DISCOVER:
        return [*said, *_found(run, us)]
    said += [f"The sum of {count(run['survivors'], 'member')} was opened, and nobody's own numbers."]
    if run["released"] is not None and asked["reporters"]:
        said.append(
            f"{count(run['released'], 'number')} with at least {asked['reporters']} reporters behind them "
            f"were released to {SEEN_BY.get(asked['visibility'], asked['visibility'])}."
        )
    if asked["epsilon_milli"]:
        said.append(f"Every number has noise, with an epsilon of {asked['epsilon_milli'] / 1000:g}.")
    if "member" in run["roles"]:
        said.append(
            "A member with altered software saw the numbers that were not released too: that so many hold an "
            f"entry, not that {us} does, unless all others that did not drop out worked together."
        )
    return said


def _broken(run: Mapping[str, Any]) -> list[str]:
    by = f", caused by {listed(run['culprits'])}" if run["culprits"] else ""
    why = "the node was stopped in the middle" if run["reason"] == CUT_OFF else f"{run['reason']}{by}"
    said = [f"It was given up ({why}); there is no result."]
    if run["accused"]:
        said.append(f"{listed(run['accused'])} are accused by others, without proof.")
    return said


def _found(run: Mapping[str, Any], us: str) -> list[str]:
    """What a discovery came to."""
    said = [f"It came to its end, with {count(run['survivors'], 'batch', 'batches')}."]
    asked = run["asked"]
    if run["released"] is not None:
        learned = LEARNS.get(asked["visibility"], "")
        said.append(
            f"By the counter's word {count(run['released'], 'indicator')} are held by so many"
            + (f"; {learned}." if learned else ".")
        )
    else:
        said.append("How many are held by so many, nobody learned; each member learned which of its own are.")
    if run["told"] is not None:
        said.append(f"{us} said at most {run['told']:,} of its own to all.")
    return said


def _otherwise(run: Mapping[str, Any], us: str) -> str:
    """Where what we served ended otherwise for us than what we took part in."""
    served = run["as_server"]
    if served is None or served["outcome"] == run["outcome"]:
        return ""
    end = {"counted": "was counted", "open": "has no end yet"}.get(served["outcome"], "was given up")
    reason = f" ({served['reason']})" if served["reason"] else ""
    return f"As {us} served it, it {end}{reason}."
