"""`arkor-drive/1`: the messages to and from a driver, its process and its connection."""
