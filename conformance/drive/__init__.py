"""The kit's side of the driver protocol `arkor-drive/1`: messages, process and connection."""
