"""The conformance kit: verifies any client of the protocol, in any language.

The supported interfaces are the command `arkor-conformance`, the driver protocol `arkor-drive/1`,
case files, `conformance.drivers.python.stdio` (`serve`, `Desk`) for drivers in Python, and the
names of `conformance.transport_suite` for transports in Python. Everything else is private.
"""
