"""The scenario of a backend that follows every rule of the protocol.

The defaults of a scenario are laxer, because they are meant for tests of clients.
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
