"""The faults that a rule can have, each declared once, in the file of its phase."""
