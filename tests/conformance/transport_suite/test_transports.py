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


LOOK_UPS = {"a-look-up-has-the-limit-of-the-connect", "an-abort-ends-a-look-up"}
OUTLASTED = pytest.mark.xfail(
    strict=False,
    reason="a look-up of the blocking client outlasts its connect timeout and an abort",
)


@pytest.mark.parametrize("check", CHECKS, ids=str)
@pytest.mark.parametrize("transport", TRANSPORTS.values(), ids=TRANSPORTS)
def test_a_transport_keeps_the_contract(
    request: pytest.FixtureRequest, transport: Open, check: Check
) -> None:
    if transport is open_blocking and check.name in LOOK_UPS:
        request.applymarker(OUTLASTED)
    check.run(transport)
