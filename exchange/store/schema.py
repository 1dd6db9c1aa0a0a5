"""The tables of the indicators. ``exchange.store.engine`` keeps the version of the schema beside them.

Times are whole seconds since 1970, UTC. A marking is its rank in ``Tlp``: the most closed is the largest.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

from crypto.hashing import HASH_BYTES

PART = "indicators"
VERSION = 2

tables = MetaData()

source = Table(
    "source",
    tables,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
)

# One stream of a source. What it gives replaces what it gave before.
feed = Table(
    "feed",
    tables,
    Column("id", Integer, primary_key=True),
    Column("source_id", ForeignKey(source.c.id), nullable=False),
    Column("name", String, nullable=False),
    Column("own", Boolean, nullable=False),  # our own sightings, and not copied from anybody
    Column("cursor", String),  # where the next import goes on, in the words of the protocol it comes by
    UniqueConstraint("source_id", "name"),
)

# One import of a feed. The numbers never go back, so that a feed's latest is its largest.
delivery = Table(
    "delivery",
    tables,
    Column("id", Integer, primary_key=True),
    Column("feed_id", ForeignKey(feed.c.id), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

# What a feed says of indicators, once for all that it says it of: as JSON, and what a query needs of it.
context = Table(
    "context",
    tables,
    Column("id", Integer, primary_key=True),
    Column("feed_id", ForeignKey(feed.c.id), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("last_seen", BigInteger),
    Column("not_before", BigInteger),
    Column("valid_until", BigInteger),
    Column("document", String, nullable=False),
    UniqueConstraint("feed_id", "digest"),
)

# The digest is the item row. It identifies type and value, so that its index is the only one they need. A
# number is never given twice: a running match names its results by it.
indicator = Table(
    "indicator",
    tables,
    Column("id", Integer, primary_key=True),
    Column("type", String, nullable=False),
    Column("value", String, nullable=False),
    Column("digest", LargeBinary(HASH_BYTES), nullable=False, unique=True),
    Column(
        "withdrawn", BigInteger
    ),  # since when no feed gives it; the row stays for a while, for such a match
    sqlite_autoincrement=True,
)
_withdrawn = indicator.c.withdrawn
Index("indicator_withdrawn", _withdrawn, sqlite_where=_withdrawn.is_not(None))

# Who told us, under which marking, and in which deliveries first and last. By feed, because an import looks
# at all that its feed gave before, and at nothing else. The importer writes what its own transaction has just
# looked up: to check each number again as a foreign key would take a third of an import.
observation = Table(
    "observation",
    tables,
    Column("feed_id", Integer, primary_key=True),
    Column("indicator_id", Integer, primary_key=True, index=True),
    Column("tlp", Integer, nullable=False),
    Column("context_id", Integer),
    Column("first_delivery", Integer, nullable=False),
    Column("last_delivery", Integer, nullable=False),
    sqlite_with_rowid=False,
)

warning_list = Table(
    "warning_list",
    tables,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("mode", String, nullable=False),
)

listed = Table(
    "listed",
    tables,
    Column("indicator_id", Integer, primary_key=True),
    Column("list_id", ForeignKey(warning_list.c.id), primary_key=True),
    sqlite_with_rowid=False,
)

# The lists that every indicator has been looked up in, as their digest; no row while that is true of none.
screened = Table("screened", tables, Column("digest", String, primary_key=True))

temporary = MetaData()


def _staged(name: str) -> Table:
    return Table(
        name,
        temporary,
        Column("type", String, nullable=False),
        Column("digest", LargeBinary(HASH_BYTES), nullable=False),
        Column("value", String, nullable=False),
        Column("told", Integer, nullable=False),
        prefixes=["TEMPORARY"],
    )


# What a running import holds, each part of it by digest; and all of it by digest: a B-tree that is fed in
# order is several times faster.
staged, in_order = _staged("staged"), _staged("in_order")

# What is said of those: the marking that follows, and the digest of the context if there is one.
told = Table(
    "told",
    temporary,
    Column("number", Integer, primary_key=True),
    Column("tlp", Integer, nullable=False),
    Column("digest", LargeBinary),
    prefixes=["TEMPORARY"],
)

# What leaves a feed: because it was not given again, or was withdrawn, or the feed is forgotten.
leaving = Table(
    "leaving", temporary, Column("indicator_id", Integer, primary_key=True), prefixes=["TEMPORARY"]
)

# What producers have withdrawn in a running import.
revoked = Table(
    "revoked",
    temporary,
    Column("digest", LargeBinary(HASH_BYTES), primary_key=True),
    prefixes=["TEMPORARY"],
)


@contextmanager
def scratch(connection: Connection) -> Iterator[None]:
    """The temporary tables, for the length of one transaction; when that is undone, they are gone as well."""
    temporary.create_all(connection, checkfirst=False)
    yield
    temporary.drop_all(connection, checkfirst=False)
