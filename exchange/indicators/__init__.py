"""Indicators of compromise in one canonical form, ``cti-c14n/1``, read from the files people keep them in.

Pure but for opening the file that ``read`` is given. ``Batch`` is what readers hand to the store.
"""

from exchange.indicators.batch import Batch
from exchange.indicators.canonical import canonicalise, recognise
from exchange.indicators.readers import formats, read
from exchange.indicators.text import defang, refang
from exchange.indicators.tlp import UNMARKED, Tlp
from exchange.indicators.types import PROFILE, REASONS, Indicator, IndicatorType, Refused

__all__ = [
    "PROFILE",
    "REASONS",
    "UNMARKED",
    "Batch",
    "Indicator",
    "IndicatorType",
    "Refused",
    "Tlp",
    "canonicalise",
    "defang",
    "formats",
    "read",
    "recognise",
    "refang",
]
