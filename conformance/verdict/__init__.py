"""Turn the trace of a case into findings, verdicts and an exit status."""
