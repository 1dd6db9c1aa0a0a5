"""Discovery: which indicators at least so many members hold, without a list to begin with.

The use case of every part in it: the member that asks, the key helpers, the relay and the counter. Knows no
transport and no database; ``docs/discovery.md`` says what each part learns.
"""
