"""A silent client does not count as hung while it works on what it was sent."""

import sys

import pytest

from tests.conformance.commandline import kit

CASE = ("--case", "hardened.an-event-below-the-bound-is-delivered", "--profile", "hardened")
BYTE_BY_BYTE = (
    *(sys.executable, "-P", "-m", "conformance.mutants.driver"),
    "benign.parses-byte-by-byte",
)


@pytest.mark.thorough
def test_a_client_may_take_far_longer_than_the_patience_over_eight_mebibytes() -> None:
    """The client uses the processor for seconds while neither side sends anything."""
    done = kit("run", *CASE, "--patience", "0.3", "--", *BYTE_BY_BYTE)
    assert (done.status, "1 pass" in done.out) == (0, True), done
