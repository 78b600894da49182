"""The faults that a rule can inject, each declared once, in the module for its phase."""
