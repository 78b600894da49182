"""A browser for the tests that open the page."""

from collections.abc import Iterator

import pytest

from tests.conformance.browser import Browser, Page, find, opened, started


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return a running browser, the same for all tests of a module."""
    with started(str(find()), tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Return a page that shares nothing with that of another test."""
    with opened(browser) as new:
        yield new


@pytest.fixture
def overview(page: Page, report: str) -> Page:
    """Return the page of the `report` of a module, at its overview."""
    page.go(report)
    return page
