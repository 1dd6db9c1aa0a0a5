"""What a node keeps: its indicators and its ledger, in a database it owns."""
