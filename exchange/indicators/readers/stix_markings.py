"""Markings of STIX objects: TLP 1.0 and 2.0 as the standards define them, and TLP and PAP as people write.

Source: STIX 2.1 section 7.2; OASIS cti-stix-common-objects, extension definition "TLP 2.0"; FIRST TLP 2.0.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from exchange.indicators.context import Pap
from exchange.indicators.tlp import UNMARKED, Tlp

_MOST_MARKS = 64
_MAX_ID_CHARS = 64
_NONE_APART = frozenset[str]()
_TLP_ORDER = {m: i for i, m in enumerate(Tlp)}
_PAP_ORDER = {m: i for i, m in enumerate(Pap)}


class Marking(NamedTuple):
    """What a marking says; ``known`` is false where it means to say a TLP or a PAP that there is not."""

    tlp: Tlp | None = None
    pap: Pap | None = None
    known: bool = True


UNKNOWN = Marking(known=False)
RED = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
"""What stands for more markings than can be kept: the most closed."""

WELL_KNOWN = {
    f"marking-definition--{uuid}": Marking(tlp)
    for uuid, tlp in {
        "613f2e26-407d-48c7-9eca-b8e91df99dc9": Tlp.CLEAR,  # WHITE; this and the next three are TLP 1.0
        "34098fce-860f-48ae-8e50-ebd3cc5e41da": Tlp.GREEN,
        "f88d31f6-486f-44da-b317-01333bde0b82": Tlp.AMBER,
        "5e57c739-391a-4eb3-b6be-7d15ca92d5ed": Tlp.RED,
        "94868c89-83c2-464b-929b-a1a8aa3c8487": Tlp.CLEAR,
        "bab4a63c-aed9-4cf5-a766-dfca5abac2bb": Tlp.GREEN,
        "55d920b0-5e8b-4f79-9ee9-91f868d9b421": Tlp.AMBER,
        "939a9414-2ddd-4d32-a0cd-375ea402b003": Tlp.AMBER_STRICT,
    }.items()
} | {RED: Marking(Tlp.RED)}
# A granular marking on one of these marks the value; on another property, that property alone.
_ROOTS_OF_VALUES = frozenset(
    {"pattern", "value", "name", "hashes", "extensions", "number", "objects", "address"}
)


def strings(value: object) -> list[str]:
    """The strings of a property that should be a list of them, or one."""
    if isinstance(value, str):
        return [value]
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def definition(thing: Mapping[str, object]) -> Marking:
    """What a ``marking-definition`` object says; a statement such as a copyright says nothing here."""
    content = thing.get("definition")
    content = content if isinstance(content, dict) else {}
    extensions = thing.get("extensions")
    extensions = extensions if isinstance(extensions, dict) else {}
    bare = [content.get("tlp"), *(e.get("tlp_2_0") for e in extensions.values() if isinstance(e, dict))]
    told = [f"TLP:{text}" for text in bare if isinstance(text, str)]
    told += strings([*content.values(), thing.get("name"), thing.get("definition_type")])
    said = [marking for text in told if (marking := stated(text))]
    if any(value is not None for value in bare) and not any(m.tlp for m in said):
        return UNKNOWN
    if not all(m.known for m in said):
        return UNKNOWN
    return Marking(most_closed_tlp(m.tlp for m in said), most_closed_pap(m.pap for m in said))


def stated(text: str) -> Marking | None:
    """What a label such as ``tlp:amber`` or ``PAP:RED`` says; ``None`` for any other."""
    scheme = text.lstrip()[:4].upper()
    if scheme not in ("TLP:", "PAP:"):
        return None
    try:
        return Marking(tlp=Tlp.parse(text)) if scheme == "TLP:" else Marking(pap=Pap.parse(text))
    except ValueError:
        return UNKNOWN


def marks_of(thing: Mapping[str, object]) -> tuple[str, ...]:
    """The ids of the markings of a whole object."""
    return _few(strings(thing.get("object_marking_refs")))


def marks_of_value(thing: Mapping[str, object]) -> tuple[tuple[str, ...], frozenset[str]]:
    """The ids of the markings of an object's values, and the properties that are marked apart from them."""
    granular = thing.get("granular_markings")
    if not granular:
        return marks_of(thing), _NONE_APART
    marks, apart = strings(thing.get("object_marking_refs")), set[str]()
    for one in granular if isinstance(granular, list) else ():
        if not isinstance(one, dict) or not isinstance(mark := one.get("marking_ref"), str):
            continue
        roots = {selector.partition(".")[0] for selector in strings(one.get("selectors"))}
        if not roots or roots & _ROOTS_OF_VALUES:
            marks.append(mark)
        apart |= roots - _ROOTS_OF_VALUES
    return _few(marks), frozenset(apart)


def mark_id(text: str) -> str:
    """An id of a marking as it is compared: one that is longer than ids are is cut."""
    return text[:_MAX_ID_CHARS]


def _few(marks: list[str]) -> tuple[str, ...]:
    if not marks:
        return ()
    different = tuple(dict.fromkeys(map(mark_id, marks)))
    return different if len(different) <= _MOST_MARKS else (RED,)


def most_closed_tlp(markings: Iterable[Tlp | None]) -> Tlp | None:
    """The most closed of some markings; ``None`` if there is none."""
    return max(filter(None, markings), key=_TLP_ORDER.__getitem__, default=None)


def most_closed_pap(markings: Iterable[Pap | None]) -> Pap | None:
    """The most closed of some markings; ``None`` if there is none."""
    return max(filter(None, markings), key=_PAP_ORDER.__getitem__, default=None)


def travels_with(own: Tlp | None, tlp: Tlp | None) -> bool:
    """Whether something marked ``own`` may go wherever a value marked ``tlp`` goes."""
    return own is None or _TLP_ORDER[own] <= _TLP_ORDER[tlp or UNMARKED]
