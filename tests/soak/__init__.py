"""A soak: many followers, random faults, for minutes; what is lost, doubled or never freed shows."""
