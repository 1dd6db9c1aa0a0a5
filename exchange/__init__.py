"""Everything of cosight that touches the world: indicators, policy, ledger, store, network, command line."""
