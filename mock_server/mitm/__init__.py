"""Carry a scenario out inside mitmproxy."""
