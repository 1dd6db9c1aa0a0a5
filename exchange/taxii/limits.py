"""How much of a TAXII server we put up with."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what a server may send, and on how long it may take. A server is not trusted to end.

    Attributes:
        page_objects: how many objects we ask for at a time; a server may give fewer.
        page_bytes: the most bytes of one page, decompressed.
        document_bytes: the most bytes of anything that is no page, such as the list of collections.
        total_bytes: the most bytes of objects in one download, which is room in the temporary folder.
        pages: the most pages of one download.
        empty_pages: the most pages without an object that may follow each other.
        silence_s: the longest that a server may send nothing, in seconds.
        answer_s: the longest that one answer may take, in seconds.
        attempts: how often a request is tried when the server is busy.
        wait_s: the longest that we wait before an attempt, in seconds.
    """

    page_objects: int = 1000
    page_bytes: int = 32 << 20
    document_bytes: int = 1 << 20
    total_bytes: int = 16 << 30
    pages: int = 100_000
    empty_pages: int = 10
    silence_s: float = 60
    answer_s: float = 300
    attempts: int = 5
    wait_s: float = 120
