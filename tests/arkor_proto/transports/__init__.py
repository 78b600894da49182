"""The transports, over real sockets."""
