"""The schemas of request and response bodies, and of the events of a stream.

Members and their types match the classes in `arkor_proto`. The members that a backend must
send are listed here; a test compares them with the tables of `spec/protocol.md`.

An object without `additionalProperties` has only the listed members; later versions
may add more.
"""

import types
from collections.abc import Mapping, Sequence
from typing import Final, Union, get_args, get_origin

import attrs

from arkor_proto._calls import DONE
from arkor_proto._job import DATASETS, LORA, OPTIONS, wire_name
from arkor_proto._json import EVENT_TYPES, TERMINAL_STATUSES, camel
from arkor_proto._types import (
    CheckpointSaved,
    TrainingCompleted,
    TrainingEvent,
    TrainingFailed,
    TrainingJob,
    TrainingLog,
    TrainingStarted,
    UpgradeRequired,
)
from arkor_proto._wire import MAX_CURSOR_BYTES
from mock_server.scenario.vocabulary import JobStatus
from mock_server.strict.schema import Schema

TEXT: Final[Schema] = {"type": "string"}
FREE: Final[Schema] = {"type": "object", "additionalProperties": True}
_NAME: Final[Schema] = {"type": "string", "minLength": 1}
_WHOLE: Final[Schema] = {"type": "integer"}
_TYPES: Final[Mapping[object, tuple[str, Schema]]] = {
    str: ("string", {}),
    int: ("integer", {}),
    float: ("number", {}),
    bool: ("boolean", {}),
    tuple: ("array", {"items": {}}),
    Mapping: ("object", {"additionalProperties": True}),
}
"""The JSON type to which each Python type corresponds, and further keywords for its schema."""
_JOB: Final = ("id", "orgId", "projectId", "name", "status", "config", "createdAt")
"""The members that every job has."""
_EVENTS: Final[Mapping[type[TrainingEvent], tuple[str, tuple[str, ...]]]] = {
    TrainingStarted: ("The job has started to run.", ("jobId", "timestamp")),
    TrainingLog: ("The metrics of one training step.", ("step",)),
    CheckpointSaved: ("A checkpoint was saved; inference can now use it.", ("step",)),
    TrainingCompleted: ("The job has completed. Terminal: no further events follow.", ()),
    TrainingFailed: ("The job has failed. Terminal: no further events follow.", ("error",)),
}
"""The meaning of each event, and the members that it always has besides `type`."""
_REFUSED: Final = "What went wrong, as a message for the user (ARK-SRV-10)."


def shared(name: str) -> Schema:
    """Return a reference to one of the shared schemas in the OpenAPI description."""
    return {"$ref": f"#/components/schemas/{name}"}


def table(
    properties: Schema,
    required: Sequence[str] | None = None,
    about: str = "",
    *,
    open_to_more: bool = False,
) -> Schema:
    """Return the schema of an object; `required` lists the required members, None means all.

    With `open_to_more`, the object may also have other members.
    """
    described = {"description": about} if about else {}
    needed = list(properties) if required is None else list(required)
    must = {"required": needed} if needed else {}
    more = {"additionalProperties": True} if open_to_more else {}
    return {"type": "object", **described, **must, "properties": properties, **more}


def array(items: Schema) -> Schema:
    """Return the schema of an array."""
    return {"type": "array", "items": items}


def schemas() -> Mapping[str, Schema]:
    """Return all shared schemas, by name."""
    return {**_requests(), **_answers(), **_events(), **_frames()}


def _requests() -> Mapping[str, Schema]:
    adapter = table({"kind": {"const": "checkpoint"}, "jobId": _NAME, "step": _WHOLE})
    message = table({"role": TEXT, "content": {}}, open_to_more=True)
    chat = {"messages": array(message), "adapter": adapter, "stream": {"type": "boolean"}}
    return {
        "NewJob": table({"name": TEXT, "config": shared("JobConfig")}),
        "JobConfig": _config(),
        "Dataset": {"oneOf": [_dataset(kind) for kind in DATASETS]},
        "NewProject": table({"name": _NAME, "slug": _NAME}, ["name"]),
        "AnonymousUser": table({"kind": {**TEXT, "examples": ["cli"]}}),
        "ChatRequest": table(
            chat,
            ["messages"],
            "A client may add further members, such as `temperature`.",
            open_to_more=True,
        ),
    }


def _config() -> Schema:
    """Return the schema of a job's configuration, with its options under their wire names."""
    options = {
        wire_name(name): {"type": [_json_type(kind.types), "null"]}
        for name, kind in {**LORA, **OPTIONS}.items()
    }
    members = {"model": _NAME, "datasetSource": shared("Dataset"), **options}
    about = (
        "What to train. An option that was not given is left out, so the backend's default "
        "applies; an option that was set to null, 0 or false is sent (ARK-WIR-5)."
    )
    return table(members, ["model", "datasetSource"], about)


def _dataset(kind: str) -> Schema:
    required, optional = DATASETS[kind]
    members = dict.fromkeys((*required, *optional), TEXT)
    return table({"type": {"const": kind}, **members}, ["type", *required])


def _json_type(kinds: Sequence[type]) -> str:
    return _TYPES[float if float in kinds else kinds[0]][0]


def _answers() -> Mapping[str, Schema]:
    org = table({"slug": TEXT, "id": TEXT, "name": TEXT})
    message = table({"content": TEXT}, open_to_more=True)
    delta = table({"content": {"type": ["string", "null"]}}, [], open_to_more=True)
    job = {"job": shared("Job")}
    return {
        "Job": _job(),
        "JobStatus": {
            "description": "A job is over once its status is "
            f"{_listed(sorted(TERMINAL_STATUSES))}. Other statuses are possible; "
            "they do not end a client's wait (ARK-WIR-16).",
            "anyOf": [{"enum": [each.value for each in JobStatus]}, TEXT],
        },
        "JobAnswer": table(job),
        "CancelAnswer": table(job, [], "The job after the cancel; a backend may leave it out."),
        "JobWithEvents": table({**job, "events": array(shared("TrainingEvent"))}, ["job"]),
        "Project": table({"id": TEXT, "slug": TEXT, "name": TEXT, "orgId": TEXT}),
        "ProjectAnswer": table({"project": shared("Project")}),
        "Projects": table({"org": FREE, "projects": array(shared("Project"))}),
        "AnonymousToken": table(
            {"token": TEXT, "anonymousId": TEXT, "kind": TEXT, "personalOrg": org}
        ),
        "Me": table({"user": FREE, "orgs": array(FREE)}),
        "ChatAnswer": _choices("message", message),
        "ChatChunk": _choices("delta", delta),
        "Error": table({"error": TEXT}, about=_REFUSED, open_to_more=True),
        "UpgradeNeeded": table(
            {"error": TEXT, **_members(UpgradeRequired, ())},
            ["error"],
            f"{_REFUSED} A client also reports the other members (ARK-ERR-7).",
            open_to_more=True,
        ),
    }


def _choices(part: str, schema: Schema) -> Schema:
    """Return the schema of a response in OpenAI's format, with the members that clients read."""
    choice = table({part: schema}, open_to_more=True)
    return table({"choices": array(choice)}, open_to_more=True)


def _job() -> Schema:
    own: Schema = {"id": _NAME, "status": shared("JobStatus"), "config": FREE}
    return table({**_members(TrainingJob, _JOB), **own}, _JOB, "The current state of a job.")


def _events() -> Mapping[str, Schema]:
    named = {kind.__name__: _event(kind) for kind in EVENT_TYPES}
    other: Schema = {"type": "string", "not": {"enum": list(EVENT_TYPES.values())}}
    about = "An event whose type is not defined in this version; clients ignore it (ARK-EVT-8)."
    unknown = table({"type": other}, about=about, open_to_more=True)
    mapping = {name: _pointer(kind.__name__) for kind, name in EVENT_TYPES.items()}
    return {
        "TrainingEvent": {
            "description": "The event in a frame. The kind of event is determined by its `type`, "
            "not by the name of the frame (ARK-EVT-4).",
            "oneOf": [shared(name) for name in (*named, "UnknownEvent")],
            "discriminator": {
                "propertyName": "type",
                "mapping": mapping,
                "defaultMapping": _pointer("UnknownEvent"),
            },
        },
        **named,
        "UnknownEvent": unknown,
    }


def _event(kind: type[TrainingEvent]) -> Schema:
    about, required = _EVENTS[kind]
    members = {"type": {"const": EVENT_TYPES[kind]}, **_members(kind, required)}
    return table(members, ["type", *required], about)


def _frames() -> Mapping[str, Schema]:
    named: Schema = {**TEXT, "not": {"enum": ["ping", "end"]}}
    done: Schema = {"const": DONE}
    chunk: Schema = {**_json(shared("ChatChunk")), "not": done}
    return {
        "EventFrame": _frame(named, _json(shared("TrainingEvent")), "An event of the job."),
        "PingFrame": _frame(
            {"const": "ping"}, TEXT, "A keep-alive (ARK-EVT-5), which has no id (ARK-SRV-29)."
        ),
        "EndFrame": _frame(
            {"const": "end"},
            TEXT,
            "The stream has ended for good; the frame does not say how the job ended (ARK-EVT-6).",
        ),
        "JobFrame": _one_of("EventFrame", "PingFrame", "EndFrame"),
        "ChatChunkFrame": _frame(named, chunk, "A piece of the model's answer."),
        "ChatDoneFrame": _frame(named, done, "The model's answer is complete."),
        "ChatFrame": _one_of("ChatChunkFrame", "ChatDoneFrame", "PingFrame"),
    }


def _one_of(*names: str) -> Schema:
    return {"oneOf": [shared(name) for name in names]}


def _frame(event: Schema, data: Schema, about: str) -> Schema:
    """Return the schema of one parsed event-stream block (OpenAPI 3.2, section 4.14.4)."""
    cursor: Schema = {
        **TEXT,
        "description": f"The new cursor, at most {MAX_CURSOR_BYTES} bytes of UTF-8 "
        "(ARK-SRV-27). An empty id clears the cursor (ARK-RES-6).",
        "maxLength": MAX_CURSOR_BYTES,
    }
    retry: Schema = {
        "type": "integer",
        "description": "The reconnection time, in milliseconds (ARK-SRV-30).",
        "minimum": 0,
    }
    needed = ["event", "data"] if "const" in event else ["data"]
    return table({"id": cursor, "event": event, "data": data, "retry": retry}, needed, about)


def _json(content: Schema) -> Schema:
    return {**TEXT, "contentMediaType": "application/json", "contentSchema": content}


def _members(kind: type[attrs.AttrsInstance], required: Sequence[str]) -> dict[str, Schema]:
    """Return the schemas of a class's members; an optional one may also be null (ARK-EVT-21)."""
    known = [each for each in attrs.fields(kind) if each.name != "extra"]
    return {
        camel(each.name): _typed(each.type, required=camel(each.name) in required) for each in known
    }


def _typed(hint: object, *, required: bool) -> Schema:
    if get_origin(hint) in {types.UnionType, Union}:
        hint = next(each for each in get_args(hint) if each is not types.NoneType)
    name, more = _TYPES[get_origin(hint) or hint]
    return {"type": name if required else [name, "null"], **more}


def _pointer(name: str) -> str:
    return f"#/components/schemas/{name}"


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
