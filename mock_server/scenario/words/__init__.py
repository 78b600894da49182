"""The faults that a rule can name: each is declared once, in the file of the phase it acts in."""
