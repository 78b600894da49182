"""A programmable backend for tests; it can also stand in front of a real backend and inject faults.

Names are imported when they are first used, so that the command line can report a missing
dependency in one line instead of with a traceback.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mock_server.backend.jobs import Job, JobEnded
    from mock_server.journal.records import (
        ConnectionClosed,
        ConnectionFailed,
        ConnectionOpened,
        ExchangeEnded,
        FrameSent,
        PortChanged,
        Record,
        RequestReceived,
        RequestRejected,
        ResponseStarted,
        RuleFired,
        UpstreamFailed,
        record_to_dict,
        to_jsonl,
    )
    from mock_server.requests import Claims, Request
    from mock_server.scenario.files import (
        scenario_from_dict,
        scenario_from_file,
        scenario_from_json,
        scenario_from_toml,
        scenario_to_dict,
        scenario_to_toml,
    )
    from mock_server.scenario.model import BackendPlan, JobPlan, Limits, Scenario
    from mock_server.scenario.rule import Rule
    from mock_server.scenario.vocabulary import Capability, Route, ScriptedFrame, Select
    from mock_server.scenario.words.connection import ConnectionFault
    from mock_server.scenario.words.end import After, EndFault, Ending, Stall
    from mock_server.scenario.words.frame import FrameFault
    from mock_server.scenario.words.head import HeadFault
    from mock_server.scenario.words.request import RequestFault
    from mock_server.server import MockServer
    from mock_server.strict.shapes import ScenarioError
    from mock_server.strict.values import Span

__all__ = [
    "After",
    "BackendPlan",
    "Capability",
    "Claims",
    "ConnectionClosed",
    "ConnectionFailed",
    "ConnectionFault",
    "ConnectionOpened",
    "EndFault",
    "Ending",
    "ExchangeEnded",
    "FrameFault",
    "FrameSent",
    "HeadFault",
    "Job",
    "JobEnded",
    "JobPlan",
    "Limits",
    "MockServer",
    "PortChanged",
    "Record",
    "Request",
    "RequestFault",
    "RequestReceived",
    "RequestRejected",
    "ResponseStarted",
    "Route",
    "Rule",
    "RuleFired",
    "Scenario",
    "ScenarioError",
    "ScriptedFrame",
    "Select",
    "Span",
    "Stall",
    "UpstreamFailed",
    "record_to_dict",
    "scenario_from_dict",
    "scenario_from_file",
    "scenario_from_json",
    "scenario_from_toml",
    "scenario_to_dict",
    "scenario_to_toml",
    "to_jsonl",
]

_MODULES: Final = (
    "scenario.vocabulary",
    "scenario.words.connection",
    "scenario.words.request",
    "scenario.words.head",
    "scenario.words.frame",
    "scenario.words.end",
    "scenario.rule",
    "scenario.model",
    "scenario.files",
    "strict.shapes",
    "strict.values",
    "requests",
    "backend.jobs",
    "journal.records",
    "server",
)
"""The modules that define the public names; those with the fewest dependencies come first."""

if not TYPE_CHECKING:  # type checkers use the imports above, and so catch names that do not exist

    def __getattr__(name: str) -> object:
        """Import a name from the module that defines it (PEP 562)."""
        for module in _MODULES if name in __all__ else ():
            found = import_module(f"mock_server.{module}")
            if hasattr(found, name):
                globals()[name] = getattr(found, name)
                return globals()[name]
        raise AttributeError(f"module 'mock_server' has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted(__all__)
