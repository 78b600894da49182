"""The command `arkor-proto`: starts training runs and follows them to their end."""
