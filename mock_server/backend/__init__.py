"""The well-behaved backend without I/O: jobs, event logs, resume, cancel, inference, projects."""
