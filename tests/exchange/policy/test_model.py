"""What a policy is: equal hashes for equal meanings, content that is read back, times that are UTC."""

import json
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import ConfigError
from exchange.indicators import PROFILE
from exchange.policy import Arrangement, Iep, LegalBasis, Policy, Terms, Validity, parse
from tests.exchange.policy.cases import FILE, POLICY, written
from tests.exchange.policy.full import FULL, FULL_POLICY


class TestHash:
    def test_order_and_comments_do_not_count(self) -> None:
        head, basis, table = FILE.split("\n\n")
        name, *lines = table.splitlines()
        other = "\n".join(["# a comment", head, "", name, *reversed(lines), "", basis]).replace(
            '"domain", "ipv4"', '"ipv4","domain"'
        )
        assert other != FILE
        assert parse(other).hash == POLICY.hash
        assert len(POLICY.hash) == 32

    @given(st.randoms(use_true_random=False))
    def test_no_order_counts(self, random: Any) -> None:
        head, *tables = FULL.split("\n\n")
        random.shuffle(tables)
        shuffled = []
        for table in tables:
            name, *lines = table.splitlines()
            random.shuffle(lines)
            shuffled.append("\n".join([name, *lines, "# a comment"]))
        assert parse("\n\n".join([head, *shuffled])).hash == FULL_POLICY.hash

    def test_every_statement_counts(self) -> None:
        """Taking away, or not having, any one line of a policy that states everything."""
        made = [FULL_POLICY, Policy(), Policy({"*": FULL_POLICY.peers["umbra"]})]
        made += [replace(FULL_POLICY, **{f.name: unset(Policy, f.name)}) for f in fields(Policy)]
        for part, where in (
            (FULL_POLICY.peers["umbra"], lambda new: {"peers": {"umbra": new}}),
            (FULL_POLICY.aggregate, lambda new: {"aggregate": new}),
            (FULL_POLICY.discover, lambda new: {"discover": new}),
            (FULL_POLICY.legal_bases["security"], lambda new: {"legal_bases": {"security": new}}),
            (FULL_POLICY.arrangements["isac"], lambda new: {"arrangements": {"isac": new}}),
        ):
            for f in fields(part):
                assert getattr(part, f.name) != unset(type(part), f.name), "the full policy states all"
                made.append(
                    replace(FULL_POLICY, **where(replace(part, **{f.name: unset(type(part), f.name)})))
                )
        iep = FULL_POLICY.iep
        assert iep is not None
        made += [replace(FULL_POLICY, iep=replace(iep, **{f.name: unset(Iep, f.name)})) for f in fields(Iep)]
        assert len({policy.hash for policy in made}) == len(made)

    def test_a_value_counts_as_what_it_means(self) -> None:
        assert parse(written(FILE, terms='tlp = "tlp:amber"')).hash == POLICY.hash
        ten = parse(written(FILE, terms="size_ratio = 10"))
        assert ten.hash == parse(written(FILE, terms="size_ratio = 10.0")).hash != POLICY.hash
        assert (
            parse(written(FILE, terms='climb_if = { overlap = "size>=7" }')).hash
            == parse(written(FILE, terms='climb_if = { overlap = " size >= 07" }')).hash
        )

    def test_it_stays(self) -> None:
        """A ledger names policies by it: a change of this value is a change of the format."""
        assert Policy().hash.hex() == "bd2301c60d1876f6c9d4225c97253d8e825bf82956ad805b90a3fb78efb9e2b8"
        before = replace(FULL_POLICY, aggregate=None, discover=None)
        assert before.hash.hex() == "eac19c370cff127921284c1c955c54eaf681b5f7464e610fcfcb71cbc2f6a6bc"


def unset(table: type, name: str) -> Any:
    """What a field is where nothing is stated; an IEP always has an id and a name."""
    if table is Iep and name in {"id", "name"}:
        return "another"
    return getattr(table() if table is not Iep else Iep(id="", name=""), name)


class TestContent:
    @pytest.mark.parametrize("policy", [Policy(), POLICY, FULL_POLICY])
    def test_is_read_back(self, policy: Policy) -> None:
        for through in (lambda c: c, lambda c: cbor2.loads(cbor2.dumps(c, canonical=True)), by_json):
            assert Policy.from_content(through(policy.content())) == policy
        assert Policy.from_content(policy.content()).hash == policy.hash

    @pytest.mark.parametrize("f", fields(Terms), ids=lambda f: f.name)
    def test_is_read_back_without_any_one_line(self, f: Any) -> None:
        terms = replace(FULL_POLICY.peers["umbra"], **{f.name: getattr(Terms(), f.name)})
        policy = replace(FULL_POLICY, peers={"umbra": terms})
        assert Policy.from_content(policy.content()) == policy

    def test_of_anything_else_is_refused(self) -> None:
        for content, message in (
            ({}, "the stored policy: version must be 1"),
            ({"version": 1, "more": 2}, "the stored policy: more is not known here"),
            ({"version": 1, "peers": {"umbra": {"reveal": "all"}}}, "peers.umbra.reveal must be one of"),
            ({"version": 1, "peers": {7: {}}}, "peers must be a table"),
        ):
            with pytest.raises(ConfigError, match=message):
                Policy.from_content(content)


def by_json(content: dict[str, object]) -> Any:
    return json.loads(json.dumps(content))


class TestPolicy:
    @pytest.mark.parametrize(
        ("own", "heading", "is_"),
        [
            (None, None, "may"),
            (None, "must", "must"),
            ("must-not", "must", "must-not"),
            ("may", "must-not", "may"),
        ],
    )
    def test_who_may_be_named(self, own: str | None, heading: str | None, is_: str) -> None:
        iep = Iep(id="7", name="x", attribution=heading)
        assert Policy({"umbra": Terms(attribution=own)}, iep=iep).attribution("umbra") == is_
        assert Policy(iep=iep).attribution("stranger") == (heading or "may")

    def test_tables_state_something(self) -> None:
        assert Arrangement(reference="x").content() == {"reference": "x"}
        assert LegalBasis(basis="other").content() == {"basis": "other"}
        assert PROFILE in FULL_POLICY.peers["umbra"].profiles  # type: ignore[operator]


class TestValidity:
    def test_days_are_utc(self) -> None:
        validity = Validity(date(2026, 3, 1), date(2026, 3, 1))
        assert validity.covers(datetime.fromisoformat("2026-03-01T23:59:59+00:00"))
        assert validity.covers(datetime.fromisoformat("2026-03-02T08:00:00+09:00"))
        assert not validity.covers(datetime.fromisoformat("2026-03-01T08:00:00+09:00"))

    def test_times_are_exact(self) -> None:
        first, last = datetime(2026, 3, 1, 6, tzinfo=UTC), datetime(2026, 3, 1, 18, tzinfo=UTC)
        validity = Validity(first, last)
        assert validity.covers(first)
        assert validity.covers(last)
        assert not validity.covers(first.replace(hour=5, minute=59))
        assert not validity.covers(last.replace(second=1))
        assert str(validity) == "from 2026-03-01T06:00:00+00:00 until 2026-03-01T18:00:00+00:00"

    def test_an_open_end(self) -> None:
        assert Validity().covers(datetime(1990, 1, 1, tzinfo=UTC))
        assert Validity(None, date.max).covers(datetime(2200, 1, 1, tzinfo=UTC))
