"""Row operations on lists of bytes: the oracle of ``crypto.rows``."""


def unique(rows: list[bytes]) -> list[int]:
    return [index for index, row in enumerate(rows) if row not in rows[:index]]


def join(a: list[bytes], b: list[bytes]) -> list[tuple[int, int]]:
    return [(i, b.index(row)) for i, row in enumerate(a) if row in b]
