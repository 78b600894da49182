"""A soak: many followers, random faults, for minutes; what is lost, duplicated or never freed shows."""
