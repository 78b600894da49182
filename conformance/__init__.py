"""The conformance kit, which judges the protocol's clients, in any language, and its backends.

The supported interfaces are the command `arkor-conformance`, the driver protocol `arkor-drive/1`,
case files, `conformance.drivers.python.stdio` (`serve`, `Desk`) for drivers in Python, and the
names of `conformance.transport_suite` for transports in Python. Everything else is private.
"""
