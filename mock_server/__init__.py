"""The programmable backend, and the same faults in front of a real one.

A name is imported when it is first used, so that the command line can say in one line what is
missing where a dependency is.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mock_server.backend import Job, JobEnded
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
    from mock_server.strict.shapes import ScenarioError, Span

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

_HOMES: Final = {
    "mock_server.backend": (
        "Job",
        "JobEnded",
    ),
    "mock_server.scenario.files": (
        "scenario_from_dict",
        "scenario_from_file",
        "scenario_from_json",
        "scenario_from_toml",
        "scenario_to_dict",
        "scenario_to_toml",
    ),
    "mock_server.journal.records": (
        "ConnectionClosed",
        "ConnectionFailed",
        "ConnectionOpened",
        "ExchangeEnded",
        "FrameSent",
        "PortChanged",
        "Record",
        "RequestReceived",
        "RequestRejected",
        "ResponseStarted",
        "RuleFired",
        "UpstreamFailed",
        "record_to_dict",
        "to_jsonl",
    ),
    "mock_server.scenario.model": (
        "BackendPlan",
        "JobPlan",
        "Limits",
        "Scenario",
    ),
    "mock_server.requests": (
        "Claims",
        "Request",
    ),
    "mock_server.server": ("MockServer",),
    "mock_server.strict.shapes": (
        "ScenarioError",
        "Span",
    ),
    "mock_server.scenario.rule": ("Rule",),
    "mock_server.scenario.vocabulary": (
        "Capability",
        "Route",
        "ScriptedFrame",
        "Select",
    ),
    "mock_server.scenario.words.connection": ("ConnectionFault",),
    "mock_server.scenario.words.end": (
        "After",
        "EndFault",
        "Ending",
        "Stall",
    ),
    "mock_server.scenario.words.frame": ("FrameFault",),
    "mock_server.scenario.words.head": ("HeadFault",),
    "mock_server.scenario.words.request": ("RequestFault",),
}

if not TYPE_CHECKING:  # a checker reads the imports above, and so finds a name that does not exist

    def __getattr__(name: str) -> object:
        """Import a name from the module where it is defined (PEP 562)."""
        for module, names in _HOMES.items():
            if name in names:
                found = getattr(import_module(module), name)
                globals()[name] = found
                return found
        raise AttributeError(f"module 'mock_server' has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted(__all__)
