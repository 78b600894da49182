"""Tests of the control program, as the process that its user runs."""
