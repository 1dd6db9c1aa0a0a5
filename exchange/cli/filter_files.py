"""``filter``: files of other tools."""
