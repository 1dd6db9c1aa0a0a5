"""The cryptographic core of cosight: arrays in, arrays out.

Nothing in this package opens a file or a socket, reads a clock, logs, or starts a thread. Randomness is
always a keyword argument, ``rng``, and defaults to the operating system's generator.
"""
