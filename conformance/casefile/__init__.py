"""Cases: their data model, the rules that they judge, and how case files are read."""
