"""What a node keeps: its indicators and its ledger, in a database it owns."""

from exchange.store.feeds import FeedInfo, Forgotten
from exchange.store.held import Held
from exchange.store.indicators import Count, Store
from exchange.store.items import ItemSet
from exchange.store.report import ImportReport

__all__ = ["Count", "FeedInfo", "Forgotten", "Held", "ImportReport", "ItemSet", "Store"]
