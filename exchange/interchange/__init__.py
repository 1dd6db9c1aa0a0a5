"""Filters in the forms that other tools read: ``bloom-filter2``, ``dcso-v1``, CIRCL's Private Search Set.

Pure: values come in and bytes go out, or the other way round. Values are canonical text, hashed as UTF-8.

NONE OF THESE FORMS IS PRIVATE. Whoever holds such a file can test guesses for as long as they like, without
anybody noticing; ``UNKEYED`` says so for a command to print before one is written. What ``crypto.filters``
makes is keyed, and is what members of an alliance should give each other.
"""

UNKEYED = (
    "WARNING: this filter has no key. Whoever holds the file can test any guess, as often as they like and "
    "unseen: all IPv4 addresses in minutes of processor time, every registered domain, every hash of a known "
    "feed. Give it only to whom you would give the list itself."
)

SHARED_KEY = (
    "WARNING: everybody who can ask this set has its key, and whoever has both can test any guess, as often "
    "as they like and unseen: all IPv4 addresses in about an hour of processor time. With the default key, "
    "that is everybody. Give it only to whom you would give the list itself."
)

__all__ = ["SHARED_KEY", "UNKEYED"]
