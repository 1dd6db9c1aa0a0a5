"""What a relay or a counter keeps: batches as files, and a row that says how far each stage is.

A file is written before the row that names it: after a crash, a row is always true. A folder a session.
"""

import json
import os
import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Row, delete, func, insert, select

from exchange.aggregation.announced import Signed
from exchange.aggregation.round import HASH_BYTES, Round
from exchange.config import Home, sync_directory, write_atomic
from exchange.discovery.world import Brought, Deposit, Kept, Planned, Stage, State
from exchange.errors import StoreError
from exchange.identity import encoding
from exchange.store.discovery.tables import DEPOSITS, PLANS, STAGES
from exchange.store.engine import reading, writing

SPEAKERS = "speakers"
_ROOM = "[0-9a-f]" * 64
"""The folder of a session; what else is there is the member's own."""


@dataclass(frozen=True, slots=True)
class Stages:
    """Those of one home.

    Args:
        home: the node's home.
        engine: of ``open_tables``.
    """

    home: Home
    engine: Engine

    def kept(self, context: bytes, stage: Stage) -> Kept | None:
        """How far a stage is; None where it has not begun.

        Raises:
            StoreError: the database refused.
        """
        with reading(self.engine) as connection:
            row = connection.execute(select(STAGES).where(_is(STAGES, context, stage))).one_or_none()
        return None if row is None else _kept(row)

    def keep(self, kept: Kept) -> None:
        """Write down how far a stage is.

        Raises:
            StoreError: the database refused.
        """
        with writing(self.engine) as connection:
            connection.execute(delete(STAGES).where(_is(STAGES, kept.round.context, kept.stage)))
            connection.execute(insert(STAGES).values(**_values(kept)))

    def unfinished(self) -> list[Kept]:
        """The stages that are open or closed, and not done or broken.

        Raises:
            StoreError: the database refused.
        """
        going_on = STAGES.c.state.in_([State.OPEN, State.CLOSED])
        with reading(self.engine) as connection:
            return [_kept(row) for row in connection.execute(select(STAGES).where(going_on))]

    def brought(self, depositor: str) -> int:
        """To how many stages somebody has brought a batch that is still kept.

        Raises:
            StoreError: the database refused.
        """
        query = select(func.count()).select_from(DEPOSITS).where(DEPOSITS.c.depositor == depositor)
        with reading(self.engine) as connection:
            return int(connection.scalar(query) or 0)

    def room(self, context: bytes) -> Path:
        """The folder of a session; made if need be.

        Raises:
            StoreError: it cannot be made.
        """
        folder = self.home.path / "discoveries" / context.hex()
        try:
            folder.parent.mkdir(mode=0o700, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as e:
            raise StoreError(f"cannot make {folder}: {e.strerror}") from e
        return folder

    def put(self, deposit: Deposit, depositor: str, spooled: Path) -> bool:
        """Take a batch that was spooled to a file in the room; False where there was another one before.

        Raises:
            StoreError: the disk is in the way, or the database refused.
        """
        context, stage = deposit.round.context, deposit.stage
        try:
            with spooled.open("rb") as file:
                os.fsync(file.fileno())
            spooled.replace(self.batch(context, stage, deposit.digest))
            sync_directory(spooled.parent)
        except OSError as e:
            raise StoreError(f"cannot write {spooled.parent}: {e.strerror}") from e
        theirs = _is(DEPOSITS, context, stage) & (DEPOSITS.c.depositor == depositor)
        named = {"context": context, "stage": str(stage), "depositor": depositor}
        with writing(self.engine) as connection:
            before = connection.scalar(select(DEPOSITS.c.digest).where(theirs))
            if before is None:
                said = {"digest": deposit.digest, "root": deposit.root, "signature": deposit.signature}
                connection.execute(insert(DEPOSITS).values(**named, **said))
        return before is None or bytes(before) == deposit.digest

    def deposits(self, context: bytes, stage: Stage) -> dict[str, bytes]:
        """The digest of each batch, by who brought it.

        Raises:
            StoreError: the database refused.
        """
        return {who: one.digest for who, one in self.brought_by(context, stage).items()}

    def size(self, context: bytes, stage: Stage) -> int:
        """How many bytes the batches have that are there.

        Raises:
            StoreError: the database refused, or the disk is in the way.
        """
        paths = [self.batch(context, stage, digest) for digest in self.deposits(context, stage).values()]
        try:
            return sum(path.stat().st_size for path in paths if path.exists())
        except OSError as e:
            raise StoreError(f"cannot read {self.room(context)}: {e.strerror}") from e

    def brought_by(self, context: bytes, stage: Stage) -> dict[str, Brought]:
        """What came with each batch, by who brought it.

        Raises:
            StoreError: the database refused.
        """
        with reading(self.engine) as connection:
            rows = connection.execute(select(DEPOSITS).where(_is(DEPOSITS, context, stage)))
            return {
                row.depositor: Brought(
                    digest=bytes(row.digest), root=bytes(row.root), signature=bytes(row.signature)
                )
                for row in rows
            }

    def planned(self, plan: bytes) -> Planned | None:
        """The session that stands for a plan.

        Raises:
            StoreError: the database refused.
        """
        with reading(self.engine) as connection:
            row = connection.execute(select(PLANS).where(PLANS.c.plan == plan)).one_or_none()
        if row is None:
            return None
        keys = tuple(Signed(*pair) for pair in _decoded(row.keys))
        return Planned(context=bytes(row.context), keys=keys, proof=bytes(row.proof))

    def plan(self, plan: bytes, planned: Planned, now: datetime) -> None:
        """Write down which session stands for a plan, in the place of what stood there.

        Raises:
            StoreError: the database refused.
        """
        values = {
            "context": planned.context,
            "keys": encoding.encode([list(one) for one in planned.keys]),
            "proof": planned.proof,
            "since": int(now.timestamp()),
        }
        with writing(self.engine) as connection:
            connection.execute(delete(PLANS).where(PLANS.c.plan == plan))
            connection.execute(insert(PLANS).values(plan=plan, **values))

    def batch(self, context: bytes, stage: Stage, digest: bytes) -> Path:
        """The file of a batch."""
        return self.room(context) / f"{stage}.{digest.hex()}"

    def drop(self, context: bytes, stage: Stage) -> None:
        """Delete the files of the batches of a stage that has ended, and keep who brought them.

        Raises:
            StoreError: the disk is in the way, or the database refused.
        """
        self._unlink(context, stage, self.deposits(context, stage).values())

    def empty(self, context: bytes, stage: Stage) -> None:
        """Forget a stage with all its batches, as if it had not begun.

        Raises:
            StoreError: the disk is in the way, or the database refused.
        """
        digests = self.deposits(context, stage).values()
        with writing(self.engine) as connection:
            for table in (DEPOSITS, STAGES):
                connection.execute(delete(table).where(_is(table, context, stage)))
        self._unlink(context, stage, digests)

    def put_outcome(self, kept: Kept, outcome: bytes) -> None:
        """Keep what came of a stage, and that it is done. The batches have served, and go.

        Raises:
            StoreError, ConfigError: the disk is in the way, or the database refused.
        """
        context, stage = kept.round.context, kept.stage
        write_atomic(self.room(context) / f"{stage}.outcome", outcome)
        self.keep(kept)
        self._unlink(context, stage, kept.listed)

    def outcome(self, context: bytes, stage: Stage) -> bytes:
        """What came of a stage.

        Raises:
            StoreError: the file is gone.
        """
        path = self.room(context) / f"{stage}.outcome"
        try:
            return path.read_bytes()
        except OSError as e:
            raise StoreError(f"cannot read {path}: {e.strerror}") from e

    def admit(self, context: bytes, speakers: Collection[bytes]) -> None:
        """Keep who is heard in a session, as hashes of 32 bytes, in the place of what was kept.

        Raises:
            StoreError, ConfigError: the disk is in the way.
        """
        write_atomic(self.room(context) / SPEAKERS, b"".join(sorted(speakers)))

    def admitted(self, context: bytes) -> set[bytes]:
        """Who is heard.

        Raises:
            StoreError: the file is gone.
        """
        path = self.room(context) / SPEAKERS
        try:
            return set(_hashes(path.read_bytes()))
        except OSError as e:
            raise StoreError(f"cannot read {path}: {e.strerror}") from e

    def expire(self, before: datetime) -> None:
        """Delete the sessions that nothing was taken for since.

        Raises:
            StoreError: the disk is in the way, or the database refused.
        """
        old = STAGES.c.closes < int(before.timestamp())
        with writing(self.engine) as connection:
            contexts = set(connection.scalars(select(STAGES.c.context).where(old)))
            for table in (DEPOSITS, STAGES):
                connection.execute(delete(table).where(table.c.context.in_(contexts)))
            connection.execute(delete(PLANS).where(PLANS.c.since < int(before.timestamp())))
        for context in contexts:
            shutil.rmtree(self.home.path / "discoveries" / context.hex(), ignore_errors=True)

    def tidy(self, before: datetime) -> None:
        """Delete files from before that no stage needs: we were stopped when they were written or deleted.

        Raises:
            StoreError: the disk is in the way, or the database refused.
        """
        with reading(self.engine) as connection:
            rows = connection.execute(select(STAGES.c.context, STAGES.c.stage, STAGES.c.state))
            stages = {(bytes(row.context).hex(), row.stage): row.state for row in rows}
        rooms, ended = {room for room, _ in stages}, {State.DONE, State.BROKEN}
        try:
            for path in (self.home.path / "discoveries").glob(f"{_ROOM}/*"):
                stage, _, what = path.name.partition(".")  # of what was half written, no stage
                state = stages.get((path.parent.name, stage))
                if (state is None or (state in ended and what != "outcome")) and _older(path, before):
                    path.unlink(missing_ok=True)
            for room in (self.home.path / "discoveries").glob(_ROOM):
                # One that is new is about to be written into.
                if room.name not in rooms and _older(room, before) and not any(room.iterdir()):
                    room.rmdir()
        except OSError as e:
            raise StoreError(f"cannot tidy up the discoveries: {e.strerror}") from e

    def _unlink(self, context: bytes, stage: Stage, digests: Iterable[bytes]) -> None:
        try:
            for digest in digests:
                self.batch(context, stage, digest).unlink(missing_ok=True)
        except OSError as e:
            raise StoreError(f"cannot delete in {self.room(context)}: {e.strerror}") from e


def _older(path: Path, than: datetime) -> bool:
    try:
        return path.stat().st_mtime < than.timestamp()
    except FileNotFoundError:  # whoever wrote it is done with it
        return False


def _is(table: Any, context: bytes, stage: Stage) -> Any:
    return (table.c.context == context) & (table.c.stage == str(stage))


def _decoded(data: bytes) -> list[Any]:
    """A list that we encoded."""
    found: list[Any] = encoding.decode(bytes(data), limit=len(data))
    return found


def _hashes(data: bytes) -> tuple[bytes, ...]:
    return tuple(data[i : i + HASH_BYTES] for i in range(0, len(data), HASH_BYTES))


def _kept(row: Row[Any]) -> Kept:
    return Kept(
        round=Round.decode(bytes(row.round)),
        stage=Stage(row.stage),
        began=datetime.fromtimestamp(row.began, UTC),
        closes=datetime.fromtimestamp(row.closes, UTC),
        state=State(row.state),
        code=row.code,
        culprits=tuple((who, why) for who, why in json.loads(row.culprits)),
        listed=_hashes(bytes(row.listed)),
        list_signature=bytes(row.list_signature),
        signature=bytes(row.signature),
        proofs=tuple(_decoded(row.proofs)),
    )


def _values(kept: Kept) -> dict[str, Any]:
    return {
        "context": kept.round.context,
        "stage": str(kept.stage),
        "round": kept.round.encoded,
        "began": int(kept.began.timestamp()),
        "closes": int(kept.closes.timestamp()),
        "state": str(kept.state),
        "code": kept.code,
        "culprits": json.dumps(kept.culprits).encode(),
        "listed": b"".join(kept.listed),
        "list_signature": kept.list_signature,
        "signature": kept.signature,
        "proofs": encoding.encode(list(kept.proofs)),
    }
