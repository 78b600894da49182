"""The page of the checks always agrees with the suite."""

from conformance.generate.transport_checks import SPEC, page


def test_the_page_in_the_specification_is_the_one_that_is_generated() -> None:
    committed = (SPEC / "transport-checks.md").read_text(encoding="utf-8")
    stale = "spec/transport-checks.md is stale: run python -m conformance.generate.transport_checks"
    assert committed == page(), stale
