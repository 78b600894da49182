"""The scenario of a backend that follows every rule of the protocol.

A scenario's default settings are less strict, because they are meant for testing clients.
"""

from typing import Final

from mock_server.scenario.files import scenario_from_toml
from mock_server.scenario.model import Scenario

CONFORMING_TOML: Final = """\
schema = 1
name = "conforming"

[backend]
unknown_cursor = "gone"
first_comment = true
keep_alive_ms = 500
at_end = "end"
tenants = [
  {token = "token-of-acme", org = "acme", projects = ["adapters"]},
  {token = "token-of-other", org = "other", projects = ["adapters"]},
]

[limits]
job_bytes = 1073741824

[[job]]
events = 40
interval_ms = 50
"""

CONFORMING: Final[Scenario] = scenario_from_toml(CONFORMING_TOML)
