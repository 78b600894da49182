"""The mock as a control program: a parent process controls it over stdin and stdout.

It implements `arkor-control/1`, which `arkor-conformance backend --control` uses. Without a
scenario it serves `CONFORMING`, a backend that follows every rule of the protocol.
"""

from mock_server.control.conforming import CONFORMING, CONFORMING_TOML

__all__ = ["CONFORMING", "CONFORMING_TOML"]
