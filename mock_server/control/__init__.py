"""The mock as a control program: a parent process makes it do things, over stdin and stdout.

It speaks `arkor-control/1`, as `arkor-conformance backend --control` does. `CONFORMING` is the
scenario that it serves if it is given none: a backend that keeps every rule of the protocol.
"""

from mock_server.control.conforming import CONFORMING, CONFORMING_TOML

__all__ = ["CONFORMING", "CONFORMING_TOML"]
