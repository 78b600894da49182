"""Run real sessions against the real backend in memory, in virtual time, with seeded faults."""
