"""The blocking client, over real sockets."""
