"""What a session, a run or a file costs: measured, with the machine's facts, over links of any kind."""
