"""The transports of this project keep the contract of every transport."""

import pytest

from conformance.transport_suite import CHECKS, Check, InEventLoop, Open
from tests.conformance.transport_suite.adapters import open_anyio, open_blocking
from tests.conformance.transport_suite.plain import Plain

TRANSPORTS = {
    "asyncio": InEventLoop(open_anyio, "asyncio"),
    "trio": InEventLoop(open_anyio, "trio"),
    "blocking": open_blocking,
    "third party": Plain,
}


@pytest.mark.parametrize("check", CHECKS, ids=str)
@pytest.mark.parametrize("transport", TRANSPORTS.values(), ids=TRANSPORTS)
def test_a_transport_keeps_the_contract(transport: Open, check: Check) -> None:
    check.run(transport)
