"""The same faults inside mitmproxy."""
