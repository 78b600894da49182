"""The command `arkor-proto`: starts training runs and follows them until they end."""
