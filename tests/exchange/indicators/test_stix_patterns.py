"""STIX patterns: what stands for them, what does not, and that the OASIS parser takes every one we take."""

import gzip
import json
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stix2patterns.validator import run_validator

from exchange.indicators import Refused
from exchange.indicators.stix_patterns import MAX_PATTERN_CHARS, Atom, _Parser, alternatives
from tests.realdata import data_dir

AND, FOLLOWEDBY, COMPARISON, QUALIFIER = (
    "pattern-and",
    "pattern-followedby",
    "pattern-comparison",
    "pattern-qualifier",
)
A, B, C = (Atom(("a", "b"), x) for x in "xyz")
MD5 = Atom(("file", "hashes", "MD5"), "aa")

CASES: dict[str, list[Atom | str]] = {
    "[a:b='x']": [A],
    " [ a : b\t=\n'x' ] ": [A],
    "[a:b == 'x']": [A],
    "[(a:b='x')]": [A],
    "([a:b='x'])": [A],
    "(([(((a:b='x')))]))": [A],
    "[a:b='x' OR a:b='y']": [A, B],
    "[a:b='x'OR(a:b='y'OR a:b='z')]": [A, B, C],
    "[a:b='x'] OR [a:b='y'] OR ([a:b='z'])": [A, B, C],
    "[a:b IN ('x', 'y','z')]": [A, B, C],
    "[a:b='x' /* [a:c */ OR // )\n a:b='y']": [A, B],
    "[file:hashes.MD5='aa']": [MD5],
    "[file:hashes.'MD5' = 'aa']": [MD5],
    "[file:hashes.'SHA-256'='aa']": [Atom(("file", "hashes", "SHA-256"), "aa")],
    "[file:hashes.sha256='aa']": [Atom(("file", "hashes", "sha256"), "aa")],
    "[email-message:to_refs[*].value='x']": [Atom(("email-message", "to_refs", "[*]", "value"), "x")],
    "[a:'b c'.d[0][+1]='x']": [Atom(("a", "b c", "d", "[0]", "[+1]"), "x")],
    r"[a:b='it\'s \\ here']": [Atom(("a", "b"), r"it's \ here")],
    "[a:b='line\nbreak, [brackets] OR \"quotes\"']": [
        Atom(("a", "b"), 'line\nbreak, [brackets] OR "quotes"')
    ],
    "[a:b='']": [Atom(("a", "b"), "")],
    "[autonomous-system:number=15139]": [Atom(("autonomous-system", "number"), "15139", "int")],
    "[a:b=-.5]": [Atom(("a", "b"), "-.5", "float")],
    "[a:b=true]": [Atom(("a", "b"), "true", "true")],
    "[a:b=h'0aFF']": [Atom(("a", "b"), "0aFF", "hex")],
    "[a:b=b'QUI=']": [Atom(("a", "b"), "QUI=", "binary")],
    "[a:b=t'2020-01-31T23:59:60.5Z']": [Atom(("a", "b"), "2020-01-31T23:59:60.5Z", "time")],
    # What must hold together is one alternative, and it is none that we can take.
    "[a:b='x' AND a:c='y']": [AND],
    "[a:b='x' OR a:b='y' AND a:c='z']": [A, AND],
    "[a:b='x' AND a:c='y' OR a:b='z']": [AND, C],
    "[(a:b='x' OR a:b='y') AND a:c='z']": [AND],
    "[a:b='x' OR (a:c='y' AND (a:c='z' OR a:d='w'))]": [A, AND],
    "[a:b='x'] AND [a:b='y'] OR [a:b='z']": [AND, C],
    "[a:b LIKE 'x' AND a:c='y']": [AND],
    "[a:b='x'] FOLLOWEDBY [a:b='y']": [FOLLOWEDBY],
    "[a:b='x'] FOLLOWEDBY [a:b='y'] OR [a:b='z']": [FOLLOWEDBY],
    "([a:b='x'] FOLLOWEDBY [a:b='y']) OR [a:b='z']": [FOLLOWEDBY, C],
    "[a:b='x'] OR ([a:b='y'] AND [a:b='z'])": [A, AND],
    "[a:b='x'] WITHIN 5 SECONDS": [QUALIFIER],
    "[a:b='x'] REPEATS 5 TIMES WITHIN 1.5 SECONDS": [QUALIFIER],
    "[a:b='x'] START t'2020-01-01T00:00:00Z' STOP t'2021-01-01T00:00:00Z'": [QUALIFIER],
    "[a:b='x'] OR [a:b='y'] WITHIN 5 SECONDS": [A, QUALIFIER],
    "([a:b='x'] OR [a:b='y']) WITHIN 5 SECONDS": [QUALIFIER],
    "[a:b='x' OR a:b!='y']": [A, COMPARISON],
    **{
        f"[a:b {test}]": [COMPARISON]
        for test in (
            "!= 'x'",
            "<> 'x'",
            "NOT = 'x'",
            "NOT IN ('x')",
            "IN ()",
            "< 5",
            ">= 5",
            "LIKE 'x%'",
            "NOT LIKE 'x'",
            "MATCHES '^x'",
            "ISSUBSET '192.0.2.0/24'",
            "ISSUPERSET '192.0.2.0/24'",
        )
    },
    "[EXISTS a:b]": [COMPARISON],
}

BAD = [
    "",
    " ",
    "x",
    "a:b='x'",
    "[]",
    "()",
    "[()]",
    "[a:b='x'",
    "a:b='x']",
    "[a:b='x']]",
    "([a:b='x']",
    "[a:b='x'])",
    "[(a:b='x'])",
    "([a:b='x')]",
    "[a:b='x'] OR",
    "OR [a:b='x']",
    "[a:b='x' OR]",
    "[a:b='x'] [a:b='y']",
    "[a:b='x' a:b='y']",
    "[a:b='x' FOLLOWEDBY a:b='y']",
    "[a:b='x' or a:b='y']",
    "[a:b='x'ORa:b='y']",
    "[[a:b='x']]",
    "[a:b=x]",
    '[a:b="x"]',
    "[a:b=\u2018x\u2019]",
    "[a:b=`x`]",
    r"[a:b='\x']",
    r"[a:b='x\']",
    "[a:b='x]",
    "[a='x']",
    "[a:='x']",
    "[:b='x']",
    "['a':b='x']",
    "[a:b..c='x']",
    "[a.b:c='x']",
    "[a:b-c='x']",
    "[file:hashes.SHA-256='aa']",
    "[file:hashes.\"SHA-256\"='aa']",
    "[AND:b='x']",
    "[a:IN='x']",
    "[true:b='x']",
    "[1a:b='x']",
    "[a:b[x]='x']",
    "[a:b[1.5]='x']",
    "[a:b=05]",
    "[a:b=5.]",
    "[a:b=1e5]",
    "[a:b=TRUE]",
    "[a:b=h'0']",
    "[a:b=b'QUI']",
    "[a:b=t'2020-13-01T00:00:00Z']",
    "[a:b IN ('x',)]",
    "[a:b IN ('x' 'y')]",
    "[a:b IN 'x']",
    "[a:b > true]",
    "[a:b LIKE 5]",
    "[NOT a:b='x']",
    "[a:b='x'] WITHIN 5",
    "[a:b='x'] WITHIN -5 SECONDS",
    "[a:b='x'] REPEATS 1.5 TIMES",
    "[a:b='x'] START '2020-01-01T00:00:00Z' STOP '2021-01-01T00:00:00Z'",
    "[a:b='x' WITHIN 5 SECONDS]",
    "WITHIN 5 SECONDS",
    "[a:b='x'] #",
    "[a:b='x'];",
    "[a:b='x' /* OR a:b='y']",
    "[a:b='x'\x1c]",
]


def reason(pattern: str) -> str:
    with pytest.raises(Refused) as refused:
        alternatives(pattern)
    return refused.value.reason


def is_taken(pattern: str) -> bool:
    try:
        alternatives(pattern)
    except Refused:
        return False
    return True


def is_taken_by_oasis(pattern: str) -> bool:
    """Whether the independent parser finds no error of syntax, in either version of the language."""
    for version in ("2.1", "2.0"):
        try:
            problems = run_validator(pattern, version)
        except (AttributeError, UnboundLocalError):  # it trips over some patterns that are wrong
            continue
        # It knows how long digests are; so does the profile, later.
        if all("is not a valid" in problem and problem.endswith("hash") for problem in problems):
            return True
    return False


@pytest.mark.parametrize("pattern", CASES)
def test_what_alone_makes_a_pattern_true(pattern: str) -> None:
    assert alternatives(pattern) == CASES[pattern]
    assert is_taken_by_oasis(pattern)


@pytest.mark.parametrize("pattern", BAD)
def test_what_is_no_pattern(pattern: str) -> None:
    assert reason(pattern) == "bad-pattern"
    assert not is_taken_by_oasis(pattern)


def test_long_and_deep_patterns_take_no_longer_than_short_ones() -> None:
    started = time.process_time()
    many = [f"file:hashes.MD5 = '{i:032x}'" for i in range(10_000)]
    assert len(alternatives(f"[({' OR '.join(many)})]")) == 10_000
    deep = 100_000
    assert alternatives("[" + "(" * deep + "a:b='x'" + ")" * deep + "]") == [A]
    assert alternatives("(" * deep + "[a:b='x']" + ")" * deep) == [A]
    right = "(a:b='x' OR " * 20_000 + "a:b='y'" + ")" * 20_000
    assert len(alternatives(f"[{right}]")) == 20_001
    ands = "(a:b='x' AND " * 20_000 + "a:b='y'" + ")" * 20_000
    assert alternatives(f"[{ands}]") == [AND]
    assert reason("(" * MAX_PATTERN_CHARS) == "bad-pattern"
    assert reason("[a:b='" + "\\\\" * 500_000) == "bad-pattern"
    assert reason("[a:b=h'" + "ab" * 500_000) == "bad-pattern"
    assert reason("/*" * 500_000) == "bad-pattern"
    assert reason("[a:b='" + "x" * MAX_PATTERN_CHARS + "']") == "too-long"
    assert time.process_time() - started < 20


names = st.sampled_from(["a", "value", "hashes", "x_1", "h", "b", "t", "in"])
strings = st.text(st.sampled_from("ab'\\[]() =.é\n"), max_size=6)


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@st.composite
def comparisons(draw) -> tuple[str, list[Atom | str]]:
    kind = draw(st.sampled_from(["a", "ipv4-addr", "x-y", "file"]))
    step = draw(names)
    more = draw(st.lists(st.one_of(names, strings.map(quoted), st.just("[*]")), max_size=2))
    path = f"{kind}:{step}" + "".join(m if m == "[*]" else f".{m}" for m in more)
    steps = (kind, step, *(unquoted(m) for m in more))
    values = draw(st.lists(strings, min_size=1, max_size=3))
    space = draw(st.sampled_from(["", " ", " /**/ "]))
    match draw(st.integers(0, 4)):
        case 0:
            return f"{path} IN{space}({','.join(map(quoted, values))})", [Atom(steps, v) for v in values]
        case 1:
            return f"{path} LIKE {quoted(values[0])}", [COMPARISON]
        case 2:
            return f"{path} NOT{space}={quoted(values[0])}", [COMPARISON]
        case _:
            return f"{path}{space}={space}{quoted(values[0])}", [Atom(steps, values[0])]


def unquoted(step: str) -> str:
    return step[1:-1].replace("\\'", "'").replace("\\\\", "\\") if step.startswith("'") else step


def joined(parts: list[tuple[str, list[Atom | str]]], operator: str) -> tuple[str, list[Atom | str]]:
    """The tree of patterns and of their alternatives at once: the obvious way, which is the model."""
    text = f" {operator} ".join(f"({text})" for text, _ in parts)
    if len(parts) == 1:
        return text, parts[0][1]
    collapsed = {"AND": [AND], "FOLLOWEDBY": [FOLLOWEDBY]}
    return text, collapsed.get(operator) or [one for _, found in parts for one in found]


def trees(leaves, operators: list[str]):
    return st.recursive(
        leaves,
        lambda below: st.builds(joined, st.lists(below, min_size=1, max_size=3), st.sampled_from(operators)),
        max_leaves=5,
    )


observations = trees(comparisons(), ["OR", "OR", "AND"]).map(lambda t: (f"[{t[0]}]", t[1]))
qualified = st.one_of(
    observations, observations, observations.map(lambda t: (f"{t[0]} WITHIN 5 SECONDS", [QUALIFIER]))
)
patterns = trees(qualified, ["OR", "OR", "AND", "FOLLOWEDBY"])


@settings(max_examples=60, deadline=None)
@given(patterns)
def test_generated_patterns_have_the_alternatives_of_their_model(tree) -> None:
    pattern, expected = tree
    assert alternatives(pattern) == expected
    assert is_taken_by_oasis(pattern)


@settings(max_examples=80, deadline=None)
@given(patterns, st.data())
def test_what_oasis_rejects_is_rejected(tree, data) -> None:
    pattern = tree[0]
    at = data.draw(st.integers(0, len(pattern)))
    until = data.draw(st.integers(at, min(at + 3, len(pattern))))
    damaged = pattern[:at] + data.draw(st.text("()[]'=:.,*\\ abORANDh-5", max_size=2)) + pattern[until:]
    assert is_taken(damaged) == is_taken_by_oasis(damaged)


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("a:b.'=[]()! N/*\\x\n<OR"), max_size=12), strings)
def test_the_shortcut_gives_what_the_parser_gives(before: str, value: str) -> None:
    for pattern in (f"[{before}='{value}']", f"[a:b{before}= {quoted(value)}]"):
        try:
            parsed = _Parser(pattern).alternatives()
        except Refused:
            parsed = None
        try:
            short = alternatives(pattern)
        except Refused:
            short = None
        assert short == parsed


def real_patterns() -> Iterator[tuple[str, str]]:
    for path in sorted((data_dir() / "stix").glob("*/*")):
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines = text.splitlines() if ".jsonl" in path.name else [text]
        for value in map(json.loads, lines):
            for thing in value.get("objects", [value]):
                if thing["type"] == "indicator" and thing.get("pattern_type", "stix") == "stix":
                    yield path.parent.name, thing["pattern"]


@pytest.mark.realdata
def test_every_real_pattern_is_read_and_the_short_ones_are_taken_by_oasis() -> None:
    found: dict[str, list[int]] = {}
    longest = ""
    for i, (folder, pattern) in enumerate(real_patterns()):
        alone = alternatives(pattern)
        counts = found.setdefault(folder, [0, 0])
        counts[0] += 1
        counts[1] += not any(isinstance(one, str) for one in alone)
        longest = max(longest, pattern, key=len)
        if i % 25 == 0 and len(pattern) < 1000:
            assert is_taken_by_oasis(pattern)
    assert found == {
        "amnesty-2.1": [4272, 4272],
        "oasis-examples-2.1": [42, 39],
        "oasis-idioms-2.1": [83, 12],
        "sekoia-2.x": [102, 102],
        "unit42-2.0": [2740, 2740],
    }
    assert len(longest) == 57_120
    atoms = alternatives(longest)
    assert len(atoms) == 1020
    assert {atom.path for atom in atoms if isinstance(atom, Atom)} == {("file", "hashes", "MD5")}
