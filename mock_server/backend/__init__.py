"""The well-behaved backend, without I/O: jobs, event logs, resuming, inference and projects."""
