"""Thin transports, which connect a session to the network and make no decisions of their own."""
