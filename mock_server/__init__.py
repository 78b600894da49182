"""The programmable backend, and the same faults in front of a real one."""

from mock_server.backend import Job, JobEnded
from mock_server.codec import (
    scenario_from_dict,
    scenario_from_file,
    scenario_from_json,
    scenario_from_toml,
    scenario_to_dict,
    scenario_to_toml,
)
from mock_server.journal import (
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
    record_to_dict,
    to_jsonl,
)
from mock_server.model import BackendPlan, JobPlan, Limits, Rule, Scenario
from mock_server.routing import Claims, Request
from mock_server.server import MockServer
from mock_server.shapes import ScenarioError, Span
from mock_server.vocabulary import (
    After,
    Capability,
    Ending,
    Route,
    ScriptedFrame,
    Select,
    Stall,
)

__all__ = [
    "After",
    "BackendPlan",
    "Capability",
    "Claims",
    "ConnectionClosed",
    "ConnectionFailed",
    "ConnectionOpened",
    "Ending",
    "ExchangeEnded",
    "FrameSent",
    "Job",
    "JobEnded",
    "JobPlan",
    "Limits",
    "MockServer",
    "PortChanged",
    "Record",
    "Request",
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
    "record_to_dict",
    "scenario_from_dict",
    "scenario_from_file",
    "scenario_from_json",
    "scenario_from_toml",
    "scenario_to_dict",
    "scenario_to_toml",
    "to_jsonl",
]
