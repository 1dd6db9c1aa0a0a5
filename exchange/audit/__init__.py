"""What an auditor does with ledgers: reads what they say, and says what is wrong with it."""
