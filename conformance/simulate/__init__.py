"""Run real sessions against the mock's backend, in memory and in virtual time.

Random faults are drawn from a seed, so that a run can be repeated.
"""
