"""What discoveries leave on the disk: of a key helper, of a relay or a counter, of a member that asks."""
