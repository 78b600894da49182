"""arkor_proto transports."""
