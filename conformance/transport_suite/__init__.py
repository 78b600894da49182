"""Judge a transport: the code that connects an `arkor_proto.Session` to sockets and callbacks.

`spec/transport-guide.md` contains the contract and a worked example. Test a transport like this:

    @pytest.mark.parametrize("check", CHECKS, ids=str)
    def test_my_transport(check: Check) -> None:
        check.run(open_my_client)

Only the names in `__all__` are public; everything else in this package is private.
"""

from conformance.transport_suite.adapter import AsyncClient, Client, InEventLoop, Open, Setup
from conformance.transport_suite.check import Check, ContractBroken
from conformance.transport_suite.checks import CHECKS
from conformance.transport_suite.clock import VirtualClock

__all__ = [
    "CHECKS",
    "AsyncClient",
    "Check",
    "Client",
    "ContractBroken",
    "InEventLoop",
    "Open",
    "Setup",
    "VirtualClock",
]
