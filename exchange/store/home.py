"""What a home holds, opened where no node is needed: the indicators, and the ledger to be verified."""

from exchange.config import Home
from exchange.errors import ConfigError
from exchange.indicators import IndicatorType
from exchange.ledger import Verification
from exchange.store.alliance import node_keys
from exchange.store.indicators import Store
from exchange.store.ledger import LedgerReader


def open_store(home: Home) -> Store:
    """The indicators of a home, under its settings.

    Raises:
        ConfigError: the settings name a type that there is none of.
        StoreError: the database cannot be used.
    """
    known = {str(kind): kind for kind in IndicatorType}
    if unknown := home.settings.expiry.keys() - known:
        raise ConfigError(
            f"{home.config_file}: expiry.{min(unknown)} is no type of indicators",
            hint=f"one of: {', '.join(known)}",
        )
    return Store.open(
        home.store_url, expiry={known[name]: days for name, days in home.settings.expiry.items()}
    )


def verify_ledger(home: Home) -> Verification:
    """Recompute a home's whole ledger, without writing to it; its key is checked against our own.

    Raises:
        ConfigError: a key is missing, damaged or exposed.
        LedgerError: there is no ledger, or it cannot be read.
    """
    own = node_keys(home)
    with LedgerReader.open_read_only(home.ledger_file) as reader:
        return reader.verify(public_key=own.log.public_key().public_bytes_raw())
