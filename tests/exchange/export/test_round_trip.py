"""What is written is read again as it was: by our own readers, value for value and marking for marking."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from exchange.export import Format, render
from exchange.indicators import Indicator, IndicatorType, Refused, Tlp, canonicalise
from exchange.indicators.context import Context, Pap
from exchange.indicators.readers import Options, read
from tests.exchange.export.results import EVERY, IDS, RICH, SINCE, Told, selected

BY_VALUE = Options(every_attribute=True)
"""Numbers of networks and of vulnerabilities are not for detection in MISP."""
ELSEWHERE = {IndicatorType.URL_HOST, IndicatorType.JA3S, IndicatorType.JA4}
"""What MISP has no type for."""


def again(path: Path) -> dict[Indicator, Context | None]:
    """What our own reader finds in a file, which it has to recognise; it must find nothing to refuse."""
    found: dict[Indicator, Context | None] = {}
    for batch in read(path, options=BY_VALUE):
        assert batch.refused.total() == 0, batch.places
        for kind, values in batch.values.items():
            told = batch.contexts.get(kind, {})
            found |= {Indicator(kind, value): told.get(i) for i, value in enumerate(values)}
    return found


def test_stix_gives_back_every_type_with_its_context(tmp_path: Path) -> None:
    path = tmp_path / "shared.json"
    path.write_bytes(render(Format.STIX, selected(said=[[Told(Tlp.AMBER, RICH)] for _ in EVERY]), IDS))
    found = again(path)
    assert set(found) == set(EVERY)
    for indicator, told in found.items():
        assert told is not None
        assert (told.tlp, told.pap, told.confidence) == (Tlp.AMBER, Pap.AMBER, 80)
        assert (told.sightings, told.first_seen.date(), told.last_seen) == (
            7,
            RICH.first_seen.date(),
            RICH.last_seen,
        )
        if indicator.type is not IndicatorType.CVE:
            assert (told.malware, told.techniques, told.phases) == (
                RICH.malware,
                RICH.techniques,
                RICH.phases,
            )
            assert told.tags == RICH.tags
            assert told.valid_until == RICH.valid_until


@pytest.mark.parametrize("tlp", list(Tlp)[:4])
def test_a_marking_comes_back(tmp_path: Path, tlp: Tlp) -> None:
    path = tmp_path / "shared.json"
    path.write_bytes(render(Format.STIX, selected(EVERY[0], said=[[Told(tlp)]]), IDS))
    (told,) = again(path).values()
    assert told is not None
    assert told.tlp is tlp


def test_misp_gives_back_every_type_that_it_has(tmp_path: Path) -> None:
    path = tmp_path / "shared.json"
    items = [i for i in EVERY if i.type not in ELSEWHERE]
    path.write_bytes(
        render(Format.MISP, selected(*items, said=[[Told(Tlp.AMBER, RICH)] for _ in items]), IDS)
    )
    found = again(path)
    assert set(found) == set(items)
    for told in found.values():
        assert told is not None
        assert (told.tlp, told.pap) == (Tlp.AMBER, Pap.AMBER)
        assert set(RICH.tags) | set(RICH.malware) <= {*told.tags, *told.malware}


def test_csv_gives_back_every_type(tmp_path: Path) -> None:
    path = tmp_path / "shared.csv"
    items = [i for i in EVERY if not i.value.startswith("=")]
    path.write_bytes(render(Format.CSV, selected(*items, said=[[Told(Tlp.GREEN, RICH)] for _ in items]), IDS))
    found = again(path)
    assert set(found) == set(items)


VALUES = {
    IndicatorType.URL: st.builds(
        "{}://{}/{}".format,
        st.sampled_from(("http", "https", "ftp")),
        st.sampled_from(("bad.example.com", "8.8.4.4:81", "[2001:4860::1]")),
        st.text(max_size=30),
    ),
    IndicatorType.EMAIL: st.emails(),
    IndicatorType.MUTEX: st.text(min_size=1, max_size=30),
    IndicatorType.FILE_NAME: st.text(min_size=1, max_size=30),
    IndicatorType.SHA256: st.text("0123456789abcdef", min_size=64, max_size=64),
    IndicatorType.IPV4: st.ip_addresses(v=4).map(str),
    IndicatorType.IPV6: st.ip_addresses(v=6, network="2400::/12").map(str),
    IndicatorType.CIDR: st.integers(9, 31).map("8.8.4.0/{}".format),
    IndicatorType.ASN: st.integers(1, 64_000).map(str),
}  # fmt: skip


@st.composite
def indicators(draw: st.DrawFn) -> Indicator:
    """Anything canonical, from texts as wild as feeds are."""
    kind = draw(st.sampled_from(sorted(VALUES)))
    try:
        return canonicalise(kind, draw(VALUES[kind]))
    except Refused:
        assume(condition=False)
        raise


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(indicators(), min_size=1, max_size=5, unique=True))
def test_stix_gives_back_whatever_is_shared(tmp_path: Path, items: list[Indicator]) -> None:
    path = tmp_path / "shared.json"
    path.write_bytes(render(Format.STIX, selected(*items), IDS))
    assert set(again(path)) == set(items)


def test_when_we_imported_it_is_no_sighting(tmp_path: Path) -> None:
    """Where our sources state no times, none come back; a sighting that says no number is one."""
    path = tmp_path / "shared.json"
    path.write_bytes(
        render(Format.STIX, selected(EVERY[0], said=[[Told(Tlp.AMBER, first_imported=SINCE)]]), IDS)
    )
    (told,) = again(path).values()
    assert told is not None
    assert (told.first_seen, told.last_seen, told.sightings) == (None, None, 1)
