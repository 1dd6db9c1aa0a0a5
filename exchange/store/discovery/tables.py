"""The tables of discoveries: what is counted once, and how far each stage is."""

from sqlalchemy import Column, Engine, Integer, LargeBinary, MetaData, String, Table

from exchange.config import Home
from exchange.store.engine import create_tables, open_engine

VERSION = 2
TABLES = MetaData()
QUOTAS = Table(
    "discovery_quotas",
    TABLES,
    Column("epoch", Integer, primary_key=True),
    Column("member", String, primary_key=True),
    Column("declared", Integer, nullable=False),
    Column("used", Integer, nullable=False),
)
CHARGED = Table(
    "discovery_charged",
    TABLES,
    Column("epoch", Integer, primary_key=True),
    Column("member", String, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
)
ISSUED = Table(
    "discovery_issued",
    TABLES,
    Column("plan", LargeBinary, primary_key=True),
    Column("member", String, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("digest", LargeBinary, nullable=False),
)
SPENT = Table(
    "discovery_spent",
    TABLES,
    Column("plan", LargeBinary, primary_key=True),
    Column("token", LargeBinary, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("batch", LargeBinary, nullable=False),
)
STAGES = Table(
    "discovery_stages",
    TABLES,
    Column("context", LargeBinary, primary_key=True),
    Column("stage", String, primary_key=True),
    Column("round", LargeBinary, nullable=False),
    Column("began", Integer, nullable=False),
    Column("closes", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("code", String, nullable=False),
    Column("culprits", LargeBinary, nullable=False),
    Column("listed", LargeBinary, nullable=False),
    Column("list_signature", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("proofs", LargeBinary, nullable=False),
)
PLANS = Table(
    "discovery_plans",
    TABLES,
    Column("plan", LargeBinary, primary_key=True),
    Column("context", LargeBinary, nullable=False),
    Column("keys", LargeBinary, nullable=False),
    Column("proof", LargeBinary, nullable=False),
    Column("since", Integer, nullable=False),
)
DEPOSITS = Table(
    "discovery_deposits",
    TABLES,
    Column("context", LargeBinary, primary_key=True),
    Column("stage", String, primary_key=True),
    Column("depositor", String, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)


def open_tables(home: Home) -> Engine:
    """The database of a home's discoveries, made if need be; every commit outlasts a power failure.

    Raises:
        StoreError: it cannot be opened, or another version wrote it.
    """
    engine = open_engine(f"sqlite:///{(home.path / 'discoveries.db').absolute()}", durable=True)
    create_tables(engine, TABLES, part="discoveries", version=VERSION)
    return engine
