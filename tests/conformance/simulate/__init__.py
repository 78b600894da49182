"""Jobs and fleets in memory, in virtual time."""
