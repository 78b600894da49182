"""What pytest loads by itself: the fixtures of the mock, where its dependencies are installed.

It knows the option for the seed and when to register the fixtures. It refuses to import anything
of the project before that: a test run that uses no mock must not pay for one, nor break.
"""

from importlib.util import find_spec

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the seed."""
    group = parser.getgroup("arkor mock")
    group.addoption(
        "--arkor-seed", type=int, default=None, help="the seed of every scenario, to repeat a run"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the fixtures; without the extra `mock` there are none."""
    if find_spec("anyio") is None or find_spec("h11") is None:
        return
    from mock_server import pytest_plugin  # noqa: PLC0415 - see above

    config.pluginmanager.register(pytest_plugin, "mock_server.pytest_plugin")
