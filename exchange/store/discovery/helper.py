"""What a key helper keeps: the secret of each epoch, and what it counted under it.

Every count is one row under a unique key, written before what it counts is answered, so that neither a crash
nor two calls at once let anybody ask more. A secret that is deleted is gone for good: from then on nobody can
test a guess against what was tagged under it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Engine, delete, insert, select, update

from exchange.config import Home, sync_directory
from exchange.errors import StoreError
from exchange.store.discovery.tables import CHARGED, ISSUED, QUOTAS, SPENT
from exchange.store.engine import reading, writing
from exchange.store.guard import secret

_NAME = re.compile(r"discovery-([0-9]{1,11})\.key")


@dataclass(frozen=True, slots=True)
class HelperBooks:
    """Those of one home.

    Args:
        home: the node's home.
        engine: of ``open_tables``.
    """

    home: Home
    engine: Engine

    @property
    def _folder(self) -> Path:
        return self.home.key_file("").parent

    def seed(self, epoch: int) -> bytes:
        """The secret of an epoch, 32 bytes; made when it is first asked for.

        Raises:
            ConfigError: it cannot be written, is damaged, or others can read it.
        """
        hint = "delete it: this epoch's discoveries begin anew"
        return secret(self.home, f"discovery-{epoch}", hint=hint)

    def erase(self, before: int, done: Callable[[int], Any]) -> None:
        """Delete the secrets of earlier epochs, and then what was counted under them.

        Args:
            before: the first epoch that is not over.
            done: called with each epoch whose secret is gone, before what was counted is: killed between the
                two, we come here again, and nothing is forgotten.

        Raises:
            StoreError: they cannot be deleted.
        """
        try:
            named = ((_NAME.fullmatch(file.name), file) for file in self._folder.iterdir())
            old = sorted((int(m[1]), file) for m, file in named if m is not None and int(m[1]) < before)
            for _, file in old:
                file.unlink(missing_ok=True)
            if old:
                sync_directory(self._folder)  # a power failure must not bring them back
        except OSError as e:
            raise StoreError(f"cannot delete in {self._folder}: {e.strerror}") from e
        with reading(self.engine) as connection:
            helped = connection.scalars(select(QUOTAS.c.epoch).where(QUOTAS.c.epoch < before)).all()
        for epoch in sorted({*helped, *(epoch for epoch, _ in old)}):
            done(epoch)
        with writing(self.engine) as connection:
            for table in (QUOTAS, CHARGED, ISSUED, SPENT):
                connection.execute(delete(table).where(table.c.epoch < before))

    def declare(self, epoch: int, member: str, size: int, larger: Callable[[], Any]) -> int:
        """Note the size that a member declares in an epoch.

        Args:
            epoch: which.
            member: who.
            size: what it declares.
            larger: called before it is noted, where it is the largest so far; again where it raises, or
                where we are killed between the two.

        Returns:
            The largest so far.

        Raises:
            StoreError: the database refused.
        """
        mine = (QUOTAS.c.epoch == epoch) & (QUOTAS.c.member == member)
        declared = select(QUOTAS.c.declared).where(mine)
        with reading(self.engine) as connection:
            before = connection.scalar(declared) or 0
        if size <= before:
            return before
        larger()  # outside of the transaction: the ledger has a turn of its own to wait for
        with writing(self.engine) as connection:
            before = connection.scalar(declared)
            if before is None:
                connection.execute(insert(QUOTAS).values(epoch=epoch, member=member, declared=size, used=0))
            elif size > before:
                connection.execute(update(QUOTAS).where(mine).values(declared=size))
        return max(size, before or 0)

    def charge(self, epoch: int, member: str, digest: bytes, count: int, most: int) -> bool:
        """Count questions, each set of them once; False, and nothing counted, where they are over ``most``.

        Raises:
            StoreError: the database refused.
        """
        mine = (QUOTAS.c.epoch == epoch) & (QUOTAS.c.member == member)
        same = (CHARGED.c.epoch == epoch) & (CHARGED.c.member == member) & (CHARGED.c.digest == digest)
        with writing(self.engine) as connection:
            if connection.scalar(select(CHARGED.c.digest).where(same)) is not None:
                return True  # asked again, because the answer was lost
            used = (connection.scalar(select(QUOTAS.c.used).where(mine)) or 0) + count
            if used > most:
                return False
            connection.execute(insert(CHARGED).values(epoch=epoch, member=member, digest=digest))
            connection.execute(update(QUOTAS).where(mine).values(used=used))
        return True

    def used(self, epoch: int) -> dict[str, int]:
        """How many questions each member has asked in an epoch.

        Raises:
            StoreError: the database refused.
        """
        with reading(self.engine) as connection:
            rows = connection.execute(select(QUOTAS.c.member, QUOTAS.c.used).where(QUOTAS.c.epoch == epoch))
            return {row.member: row.used for row in rows}

    def issue(self, epoch: int, plan: bytes, member: str, digest: bytes) -> bool:
        """Note the one blinded token of a member; False where it was another one before.

        Raises:
            StoreError: the database refused.
        """
        return self._once(ISSUED.c.digest, digest, epoch, plan=plan, member=member)

    def spend(self, epoch: int, plan: bytes, token: bytes, batch: bytes) -> bool:
        """Note the batch of a token; False where it was another one before.

        Raises:
            StoreError: the database refused.
        """
        return self._once(SPENT.c.batch, batch, epoch, plan=plan, token=token)

    def _once(self, column: Column[Any], value: bytes, epoch: int, **key: bytes | str) -> bool:
        """Note a value under a key, if there is none; say whether it is the one that is there now."""
        table = column.table
        same = [table.c[name] == part for name, part in key.items()]
        with writing(self.engine) as connection:
            before = connection.scalar(select(column).where(*same))
            if before is None:
                connection.execute(insert(table).values({**key, "epoch": epoch, column.name: value}))
        return before is None or bytes(before) == value
