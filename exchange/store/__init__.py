"""What a node keeps: its indicators and its ledger, in a database it owns."""

from exchange.store.indicators import Count, ImportReport, ItemSet, Store

__all__ = ["Count", "ImportReport", "ItemSet", "Store"]
