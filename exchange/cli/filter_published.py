"""``filter``: what is published to members."""
