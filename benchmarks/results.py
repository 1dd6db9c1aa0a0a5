"""Measurements as they were written down, and the tables that are made of them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.ours import security_class
from exchange.bench.links import NAMED
from exchange.bench.machine import describe

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
"""The committed ones."""
PICTURES = ROOT / "docs" / "benchmarks"
HEADLINE = (
    "cosight vole", "cosight voprf", "openmined raw", "spu ecdh", "spu kkrt", "spu rr22", "plain hashes",
)  # fmt: skip
HEADS = ((1 << 10, "wan"), (1 << 17, "wan"), (1 << 20, "lan"), (1 << 20, "wan"))
"""Sizes and links of the table at the beginning."""
LIMITS = "security, [with these limits](docs/benchmarks.md#who-is-measured)"
SHOWN = {
    "time": "The time of a session: above, whoever tells which items are shared; beneath, the rest of ours.",
    "bytes": "The bytes of a session, both ways.",
    "item": "The time for an item.",
    "phases": "Where the receiver's time goes.",
    "plane": "What security costs: the area of a point is its bytes for an item.",
}
"""The pictures, by the names of their files, and what they show."""
KINDS = ("compare", "secagg", "discover", "filter", "import", "ledger")


def load(folder: Path, kind: str) -> dict[str, Any] | None:
    """One kind's measurements; None where they were not made."""
    file = folder / f"{kind}.json"
    if not file.exists():
        return None
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def label(subject: str) -> str:
    """A subject's name for people."""
    return subject.removeprefix("cosight ").replace("_", " ")


def links_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The links, in the order in which they were measured."""
    return list(dict.fromkeys(row["link"] for row in rows))


def asked(link: str) -> str:
    """What a link was to be, in words."""
    return NAMED[link].words if link in NAMED else link


def power(n: int) -> str:
    """A size for people."""
    return f"2^{n.bit_length() - 1}" if n.bit_count() == 1 else f"{n:,}"


def number(value: float) -> str:
    """Three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def blocks(folder: Path, pictures: str = "benchmarks/") -> dict[str, str]:
    """Every generated part of the page, by name, of what there is in a folder.

    Args:
        folder: of the measurements.
        pictures: where the page finds them.
    """
    made = {}
    if compared := load(folder, "compare"):
        made["machine"] = f"{describe(compared['machine'])}; {compared['started'][:10]}".replace("\n", "; ")
        made["links"] = links(compared)
        made["compare"] = "\n\n".join(
            f"**{link}**: {asked(link)}\n\n{against(compared, link)}"
            for link in links_of(compared["summary"])
        )
        made["pictures"] = "\n\n".join(f"![{what}]({pictures}{name}.svg)" for name, what in SHOWN.items())
        made["bytes"] = traffic(compared["summary"])
        made["subjects"] = subjects(compared)
        made["headline"] = headline(compared)
        made["behind"] = behind(compared)
        made["hash"] = hashing(compared)
    if predicted := load(folder, "model"):
        made["model"] = model(predicted)
    for kind in KINDS[1:]:
        if found := load(folder, kind):
            made[kind] = plain(found)
    counts = folder / "instructions.json"
    if counts.exists():
        made["instructions"] = instructions(json.loads(counts.read_text()))
    return made


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """In Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def links(found: Mapping[str, Any]) -> str:
    """What the links were asked to be, and what they were."""
    rows = [
        (
            link["name"],
            asked(link["name"]),
            f"{1e3 * link['measured']['round_trip_s']:.2f} ms",
            f"{link['measured']['bits_per_s'] / 1e6:,.0f} Mbit/s",
        )
        for link in found["links"]
        if "measured" in link
    ]
    return table(("link", "asked for", "round trip", "one TCP connection, two seconds"), rows)


def against(found: Mapping[str, Any], link: str) -> str:
    """Median seconds by subject and size, with the ratio to the base; a gap says why beneath."""
    rows = [row for row in found["summary"] if row["link"] == link]
    sizes = sorted({row["n"] for row in found["summary"]})
    cells = {(row["subject"], row["n"]): row for row in rows}
    lines, notes, left_out, empty = [], [], [], False
    for subject in dict.fromkeys(row["subject"] for row in rows):
        line = [subject]
        for n in sizes:
            row = cells.get((subject, n))
            if row is None:
                line.append("")
                if n > found["subjects"].get(subject, {}).get("most", 0):
                    empty = True
                else:
                    left_out.append(f"{subject} {power(n)}")
            elif "gap" in row:
                line.append("gap")
                notes.append(f"- {subject}, {power(n)}: {row['gap']}")
            else:
                once = "¹" if row["cold"] else ""
                ratio = f" ({number(row['ratio']['median'])}x)" if "ratio" in row else ""
                line.append(f"{number(row['seconds']['median'])}{once}{ratio}")
        lines.append(line)
    if empty:
        notes.append("- Empty: not run, since it is above the largest size that the system is run with.")
    if left_out:
        notes.append(f"- Could be run, and was not at this size over this link: {', '.join(left_out)}.")
    if others := _elsewhere(found, link):
        notes.append(f"- Not run over this link: {', '.join(others)}.")
    return "\n".join([table(("seconds", *map(power, sizes)), lines), *(["", *notes] if notes else [])])


def _elsewhere(found: Mapping[str, Any], link: str) -> list[str]:
    """What was measured over other links alone."""
    names = dict.fromkeys(row["subject"] for row in found["summary"])
    here = {row["subject"] for row in found["summary"] if row["link"] == link}
    return [name for name in names if name not in here]


def traffic(rows: Sequence[Mapping[str, Any]]) -> str:
    """Bytes an item, both ways, where a subject says them, else those on the line; on the first link."""
    sizes = sorted({row["n"] for row in rows})
    found: dict[tuple[str, int], str] = {}
    for row in rows:
        if "gap" not in row and row["bytes"]:
            found.setdefault((row["subject"], row["n"]), number(sum(row["bytes"].values()) / row["n"]))
    names = dict.fromkeys(subject for subject, _ in found)
    return table(
        ("bytes an item", *map(power, sizes)),
        ([name, *(found.get((name, n), "") for n in sizes)] for name in names),
    )


def subjects(found: Mapping[str, Any]) -> str:
    """Who was measured, with what settings and security, up to which size; and who was not, and why."""
    measured = {row["subject"].partition(", ")[0] for row in found["summary"]}
    sized = any("most" in told for told in found["subjects"].values())
    rows = []
    for name, told in found["subjects"].items():
        why = told.get("missing", "" if name in measured else "every size was above its largest")
        most = power(told["most"]) if "most" in told else "-"
        rows.append([
            name, ", ".join(told.get("packages", [])) or "-", told.get("settings") or "-",
            *([most] * sized), f"**not measured**: {why}" if why else told["security"],
        ])  # fmt: skip
    largest = ["largest"] * sized
    return table(("subject", "packages", "settings", *largest, "security, or why it was not measured"), rows)


def headline(found: Mapping[str, Any]) -> str:
    """What somebody wants to know first: the overlap, at a small, a middle and a large size."""
    cells = {(row["subject"], row["n"], row["link"]): row for row in found["summary"] if "gap" not in row}
    heads = [(n, link) for n, link in HEADS if any(cell[1:] == (n, link) for cell in cells)]

    def seconds(subject: str, n: int, link: str) -> str:
        row = cells.get((subject, n, link))
        return number(row["seconds"]["median"]) if row else ""

    rows = [
        (
            name,
            *(seconds(name, *head) for head in heads),
            security_class(told["security"]),
        )
        for name in HEADLINE
        if (told := found["subjects"].get(name)) and "security" in told
    ]
    return table(("", *(f"{power(n)}, {link}" for n, link in heads), LIMITS), rows)


def behind(found: Mapping[str, Any]) -> str:
    """Where another system that hides something was faster than ours that tell the same."""
    cells: dict[tuple[str, int], list[tuple[float, str]]] = {}
    for row in found["summary"]:
        security = found["subjects"].get(row["subject"], {}).get("security", "none")
        tells = row["subject"] in HEADLINE or not row["subject"].startswith("cosight")
        if "gap" not in row and tells and security_class(security) != "none":
            cells.setdefault((row["link"], row["n"]), []).append((row["seconds"]["median"], row["subject"]))
    lines = []
    for (link, n), those in cells.items():
        (took, first), ours = min(those), min((s for s in those if s[1].startswith("cosight")), default=None)
        if ours is not None and ours[1] != first:
            share = took / ours[0]
            lines.append(f"- {link}, {power(n)}: {first} took {share:.0%} of the time of {ours[1]}")
    return "\n".join(lines) or "Nowhere among what was measured."


def hashing(found: Mapping[str, Any]) -> str:
    """What ours did once before its sessions, by size."""
    took: dict[int, list[float]] = {}
    for run in found["runs"]:
        if "hash" in run.get("seconds", {}):
            took.setdefault(run["n"], []).append(run["seconds"]["hash"])
    rows = [("seconds", *(number(median(took[n])) for n in sorted(took)))]
    return table(("read and hashed once", *map(power, sorted(took))), rows)


def model(found: Mapping[str, Any]) -> str:
    """The constants of the model, and how far off it is."""
    constants, choice = found["constants"], found["choice"]
    said = (
        f"session {1e3 * constants['session_s']:.3g} ms, computing {constants['computing']:.3g}, "
        f"byte {1e9 * constants['byte_s']:.3g} ns, around {constants['round_trips']:.3g}, "
        f"ramp {constants['ramp']:.3g}. Of {choice['choices']} choices between `vole` and `voprf` "
        f"{choice['wrong']} take the slower one; the worst costs {choice['worst']:.0%} more."
    )

    def off(errors: Mapping[str, float] | None) -> tuple[str, str]:
        return ("", "") if errors is None else (f"{errors['median']:.0%}", f"{errors['worst']:.0%}")

    links = [
        ("all", found["error"], None),
        *((n, of["fitted"], of["unseen"]) for n, of in found["links"].items()),
    ]
    rows = [(name, *off(fitted), *off(unseen)) for name, fitted, unseen in links]
    protocols = [(name, *off(errors)) for name, errors in found["protocols"].items()]
    heads = ("off by (median)", "at most")
    return "\n\n".join([
        said,
        table(("link", *heads, "unseen", "at most"), rows),
        table(("protocol", *heads), protocols),
    ])  # fmt: skip


def plain(found: Mapping[str, Any]) -> str:
    """The summary of one of ours, with the processor's seconds of each party in the last run.

    Where others are beside ours: how many times as long as ours they took, and what they are.
    """
    rows = []
    last = {(run["subject"], run["n"]): run for run in found["runs"] if "gap" not in run}
    parties = list(dict.fromkeys(party for run in last.values() for party in run["cpu_s"]))
    compared = any("ratio" in row for row in found["summary"])
    for row in found["summary"]:
        head = [row["subject"], power(row["n"])]
        if "gap" in row:
            rows.append([*head, "gap", row["gap"], "", *([""] * compared), *("" for _ in parties)])
            continue
        seconds, cpu = row["seconds"], last[row["subject"], row["n"]]["cpu_s"]
        ratio = f"{number(row['ratio']['median'])}x" if "ratio" in row else ""
        rows.append([
            *head, number(seconds["median"]), f"{number(seconds['min'])} to {number(seconds['max'])}",
            number(max(row["peak_mib"].values())), *([ratio] * compared),
            *(number(cpu[party]) if party in cpu else "" for party in parties),
        ])  # fmt: skip
    heads = [*(["times ours"] * compared), *(f"{party}, processor s" for party in parties)]
    made = table(("", "n", "seconds", "spread", "peak MiB", *heads), rows)
    return f"{made}\n\n{subjects(found)}" if found.get("subjects") else made


def instructions(found: Mapping[str, Any]) -> str:
    """Counts of the kernel's functions."""
    rows = [(name, f"{count:,.0f}") for name, count in found["per_item"].items()]
    return f"{found['rustc']}; `{found['backends']}`\n\n" + table(("function", "instructions an item"), rows)
