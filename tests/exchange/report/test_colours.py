"""Colours: text and shapes stand out in light, dark and print, and are told apart without seeing colour.

Source: WCAG 2.2, 1.4.3 and 1.4.11 (contrast); Vienot, Brettel and Mollon 1999 (two kinds of colour-blindness,
as matrices on linear RGB).
"""

import re
from importlib.resources import files
from itertools import combinations

import pytest

from exchange.report import pdf

STYLE = (files("exchange.report") / "style.css").read_text()
MODES = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6})", block)) for block in STYLE.split(":root {")[1:]]
TEXTS = ("ink", "muted", "entered-text", "limit-text", "good", "odd", "bad")
SHAPES = ("entered", "withheld", "range", "known", "limit")
Rgb = tuple[float, ...]
KINDS = {
    "protan": ((0.11238, 0.88762, 0.0), (0.11238, 0.88762, 0.0), (0.00401, -0.00401, 1.0)),
    "deutan": ((0.29275, 0.70725, 0.0), (0.29275, 0.70725, 0.0), (-0.02234, 0.02234, 1.0)),
}


def linear(colour: str) -> Rgb:
    digits = "".join(2 * c for c in colour[1:]) if len(colour) == 4 else colour[1:]
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    return tuple(p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)


def luminance(rgb: Rgb) -> float:
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(linear(one)), luminance(linear(other))))
    return (light + 0.05) / (dark + 0.05)


def seen(colour: str, kind: str) -> Rgb:
    rgb = linear(colour)
    return tuple(max(0.0, sum(m * c for m, c in zip(row, rgb, strict=True))) for row in KINDS[kind])


def test_there_are_light_dark_and_print() -> None:
    assert len(MODES) == 3
    assert all(set(mode) == set(MODES[0]) for mode in MODES)


@pytest.mark.parametrize("mode", MODES, ids=["light", "dark", "print"])
def test_contrast(mode: dict[str, str]) -> None:
    assert {name for name in TEXTS if contrast(mode[name], mode["paper"]) < 4.5} == set()
    assert {name for name in TEXTS if contrast(mode[name], mode["box"]) < 4.5} == set()
    assert {name for name in SHAPES if contrast(mode[name], mode["paper"]) < 3} == set()


@pytest.mark.parametrize("mode", MODES, ids=["light", "dark", "print"])
@pytest.mark.parametrize("kind", KINDS)
def test_parts_that_touch_differ_for_everybody(mode: dict[str, str], kind: str) -> None:
    for one, other in (
        *combinations(("entered", "withheld", "track"), 2),
        ("entered", "rest"),
        ("range", "known"),
    ):
        apart = sum(abs(a - b) for a, b in zip(seen(mode[one], kind), seen(mode[other], kind), strict=True))
        assert apart > 0.25, (one, other)


def test_the_pdf_has_the_colours_of_the_light_page() -> None:
    for role, rgb in pdf.COLOURS.items():
        assert "#{:02x}{:02x}{:02x}".format(*rgb) == MODES[0][role], role
