"""The driver protocol `arkor-drive/1`: its messages, the driver's process, the connection."""
