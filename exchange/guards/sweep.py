"""How long it takes to sweep a space under a quota, and when a quota stops who sweeps.

It is the plain arithmetic, of values that are asked for. ``exchange.policy.sweep`` says what the terms of a
peer come to, with the guesses that a cheating peer has beyond what it declares.
"""

IPV4 = 2**32
"""How many IPv4 addresses there are."""

_DAYS_A_YEAR = 365
_IN_YEARS = 2 * _DAYS_A_YEAR


def days_to_sweep(space: int, values_per_day: int) -> int:
    """How many days it takes to ask for every value of a space.

    Raises:
        ValueError: there is no such space, or nothing may be asked for.
    """
    if space < 1 or values_per_day < 1:
        raise ValueError("a sweep has values, and a quota that allows some")
    return -(-space // values_per_day)


def in_words(days: int) -> str:
    """A time as people say it: days for less than two years, then years with one decimal."""
    if days < _IN_YEARS:
        return f"{days:,} day{'s' * (days != 1)}"
    return f"{days / _DAYS_A_YEAR:,.1f} years"


def stopped_on_day(daily_values: int, per_day: int | None, per_year: int | None) -> int | None:
    """The day, from 1, on which a peer that asks for so many values every day is first refused.

    A session is refused if its values would pass the quota of the day, or that of the last 365 days with
    this one.

    Returns:
        ``None`` if it never is.

    Raises:
        ValueError: it asks for nothing.
    """
    if daily_values < 1:
        raise ValueError("who asks for nothing is never stopped")
    if per_day is not None and daily_values > per_day:
        return 1
    if per_year is not None and per_year // daily_values < _DAYS_A_YEAR:
        return per_year // daily_values + 1
    return None
