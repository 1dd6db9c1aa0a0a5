"""The tables of the indicators. ``exchange.store.engine`` keeps the version of the schema beside them."""

from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, MetaData, String, Table

from crypto.hashing import HASH_BYTES

PART = "indicators"
VERSION = 1

tables = MetaData()

source = Table(
    "source",
    tables,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("tlp", String, nullable=False),  # the marking of its last import
)

# The digest is the item row. It identifies type and value, so that its index is the only one they need.
indicator = Table(
    "indicator",
    tables,
    Column("id", Integer, primary_key=True),
    Column("type", String, nullable=False),
    Column("value", String, nullable=False),
    Column("digest", LargeBinary(HASH_BYTES), nullable=False, unique=True),
)

# Who told us, under which marking, and when first and last (ISO 8601, UTC).
observation = Table(
    "observation",
    tables,
    Column("indicator_id", ForeignKey(indicator.c.id), primary_key=True),
    Column("source_id", ForeignKey(source.c.id), primary_key=True),
    Column("tlp", String, nullable=False),
    Column("first_imported", String, nullable=False),
    Column("last_imported", String, nullable=False),
    sqlite_with_rowid=False,
)

# What a running import holds of one type, by digest: a B-tree that is fed in order is several times faster.
_temporary = MetaData()
staged = Table(
    "staged",
    _temporary,
    Column("digest", LargeBinary(HASH_BYTES), nullable=False),
    Column("value", String, nullable=False),
    prefixes=["TEMPORARY"],
)
