"""What a case is, which rules it judges, and how case files are read."""
