"""Run a scenario inside mitmproxy."""
