"""What we have said in aggregations: each message once, written down before it leaves.

A member that could be made to say a second, different message in the same place would be the end of the
scheme: two sets of survivors, both shares of one member, two masked vectors under the same masks. So the
digest of every message is here, under a key that exists once, before the message leaves; what was said before
may be said again in the same bytes, and in no others. By joining an attempt we give up, for good, the ones
that it names.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Self

from sqlalchemy import Column, Engine, Integer, LargeBinary, MetaData, Table, insert, select

from exchange.errors import CosightError
from exchange.store.engine import create_tables, open_engine, reading, writing

PART = "journal"
VERSION = 1
SHARES = 5
"""The step in which a member hands out shares: from there on an attempt may be opened."""

_tables = MetaData()
_spoken = Table(
    "spoken",
    _tables,
    Column("context", LargeBinary, primary_key=True),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
_abandoned = Table(
    "abandoned", _tables, Column("context", LargeBinary, primary_key=True), sqlite_with_rowid=False
)


class Journal:
    """That of one home. Safe between threads and processes.

    Args:
        engine: its database, durable.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open it, or begin one.

        Raises:
            StoreError: it cannot be opened.
        """
        engine = open_engine(f"sqlite:///{path.absolute()}", durable=True)
        create_tables(engine, _tables, part=PART, version=VERSION)
        return cls(engine)

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()

    def speak(self, context: bytes, step: int, digest: bytes, *, abandons: Collection[bytes] = ()) -> bool:
        """Write down that a message is about to leave; only when this has returned may it.

        Args:
            context: the aggregation.
            step: in which step it is said.
            digest: of the message.
            abandons: earlier attempts in which we speak no more from now on.

        Returns:
            Whether it is new: otherwise the same was said before.

        Raises:
            CosightError: another message was said in its place, this attempt was abandoned, or one that is
                to be abandoned may be opened already.
            StoreError: the database refused.
        """
        with writing(self._engine) as db:
            if db.scalar(select(_abandoned.c.context).where(_abandoned.c.context == context)) is not None:
                raise CosightError(
                    "we have given up this attempt by joining a later one", code="attempt-abandoned",
                    hint="go on with the later one: cosight aggregate run",
                )  # fmt: skip
            said = db.scalar(
                select(_spoken.c.digest).where(_spoken.c.context == context, _spoken.c.step == step)
            )
            if said is not None:
                if said != digest:
                    raise CosightError(
                        "we have said something else in this step before, and say nothing twice",
                        code="spoken-otherwise",
                        hint="what is kept of this aggregation was altered; the next window can be counted",
                    )
                return False
            for other in abandons:
                opened = select(_spoken.c.step).where(_spoken.c.context == other, _spoken.c.step == SHARES)
                if db.scalar(opened) is not None:
                    raise CosightError(
                        "an attempt that this one is to replace may have been opened", code="attempt-opened",
                        hint="its window is counted: the coordinator has to open the next one",
                    )  # fmt: skip
                known = select(_abandoned.c.context).where(_abandoned.c.context == other)
                if db.scalar(known) is None:
                    db.execute(insert(_abandoned).values(context=other))
            db.execute(insert(_spoken).values(context=context, step=step, digest=digest))
            return True

    def spoken(self, context: bytes) -> dict[int, bytes]:
        """What we have said in an aggregation: digests by step.

        Raises:
            StoreError: the database refused.
        """
        with reading(self._engine) as db:
            rows = db.execute(select(_spoken.c.step, _spoken.c.digest).where(_spoken.c.context == context))
            return {step: bytes(digest) for step, digest in rows}

    def is_abandoned(self, context: bytes) -> bool:
        """Whether we speak no more in an aggregation.

        Raises:
            StoreError: the database refused.
        """
        with reading(self._engine) as db:
            found = db.scalar(select(_abandoned.c.context).where(_abandoned.c.context == context))
            return found is not None
