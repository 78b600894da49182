"""The conformance kit: verifies any client of the protocol, in any language.

Supported are the command `arkor-conformance`, the driver protocol `arkor-drive/1`, case files, for
drivers in Python `conformance.drivers.python.stdio` (`serve`, `Desk`), and for transports in Python
the names of `conformance.transport_suite`. Everything else is private to the kit.
"""
