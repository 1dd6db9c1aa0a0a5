"""A passing alliance on this machine, and sets that are the lines of a file: for trials and for measuring."""
