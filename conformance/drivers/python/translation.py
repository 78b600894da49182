"""Translates a case's `config` for `arkor_proto`, and its events and errors for the kit."""

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from random import SystemRandom
from typing import Final, TypeAlias, TypedDict

from attrs import evolve, fields, frozen

import arkor_proto
from arkor_proto import Profile, ReconnectPolicy, TrainingEvent
from arkor_proto.transports.anyio import ArkorClient, Callbacks, Checkpoint, Clock, Trainer
from conformance.drivers.python.stdio import Failure, Provoked
from conformance.strict_data import Json
from conformance.words import CAPABILITIES

Hear: TypeAlias = Callable[[str, TrainingEvent | Checkpoint], Awaitable[None]]
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z0-9])")


class Settings(TypedDict):
    """The arguments for creating an `arkor_proto` client, whether blocking or asynchronous."""

    base_url: str
    token: str
    org: str
    project: str
    profile: Profile
    policy: ReconnectPolicy
    random: Callable[[], float]


@frozen
class NewJob:
    """The job that the client submits in a case."""

    name: str
    model: str
    dataset: Mapping[str, Json]
    lora: Mapping[str, Json] | None
    options: dict[str, Json]


def hello(transport: str) -> Mapping[str, Json]:
    """Return the driver's answer to `hello`, for the given `arkor_proto` transport."""
    return {
        "impl": f"arkor-proto ({transport})",
        "version": arkor_proto.__version__,
        "profiles": [profile.name for profile in arkor_proto.PROFILES],
        "capabilities": [name for name in CAPABILITIES if name != "tls"],
    }


HELLO: Final = hello("anyio")


def policy_of(config: Mapping[str, Json]) -> ReconnectPolicy:
    """Return the reconnect policy that a case sets; `arkor_proto`'s defaults fill any gaps."""
    default = ReconnectPolicy()
    attempts = config.get("max_attempts")
    return ReconnectPolicy(
        _seconds(config, "initial_ms", default.initial_delay),
        _seconds(config, "max_ms", default.max_delay),
        attempts if isinstance(attempts, int) else default.max_attempts,
    )


def profile_of(config: Mapping[str, Json]) -> Profile:
    """Return the profile under test, with the idle timeouts that the case sets."""
    profile = Profile.named(str(config["profile"]))
    if "idle_ms" in config:
        profile = evolve(profile, byte_timeout=_seconds(config, "idle_ms", 0.0))
    if "progress_ms" in config:
        profile = evolve(profile, progress_timeout=_seconds(config, "progress_ms", 0.0))
    return profile


def settings_of(config: Mapping[str, Json], random: Callable[[], float]) -> Settings:
    """Return the arguments for a case's client; `random` is used only if the case has `rng`."""
    return {
        "base_url": str(config["base_url"]),
        "token": str(config["token"]),
        "org": str(config["org"]),
        "project": str(config["project"]),
        "profile": profile_of(config),
        "policy": policy_of(config),
        "random": random if "rng" in config else SystemRandom().random,
    }


def job_of(config: Mapping[str, Json]) -> NewJob | str:
    """Return the job to submit, or the id of the job to attach to."""
    job = config.get("job")
    if isinstance(job, str):
        return job
    given = _table(config.get("input"))
    lora = given.get("lora")
    return NewJob(
        str(config["name"]),
        str(given["model"]),
        _table(given["dataset"]),
        _snake(_table(lora)) if lora is not None else None,
        _snake({k: v for k, v in given.items() if k not in {"model", "dataset", "lora"}}),
    )


def client_of(config: Mapping[str, Json], clock: Clock, random: Callable[[], float]) -> ArkorClient:
    """Return the client of a case; `random` is used only if the case has `rng`."""
    return ArkorClient(clock=clock, **settings_of(config, random))


def trainer_of(client: ArkorClient, config: Mapping[str, Json], hear: Hear) -> Trainer:
    """Return the trainer of a case, for a new job or attached to an existing one."""
    callbacks = Callbacks(
        on_started=partial(hear, "started"),
        on_log=partial(hear, "log"),
        on_checkpoint=partial(hear, "checkpoint"),
        on_completed=partial(hear, "completed"),
        on_failed=partial(hear, "failed"),
    )
    job = job_of(config)
    if isinstance(job, str):
        cursor = str(config.get("last_event_id", ""))
        return client.attach(job, last_event_id=cursor, callbacks=callbacks)
    return client.trainer(
        job.name,
        model=job.model,
        dataset=job.dataset,
        lora=job.lora,
        callbacks=callbacks,
        **job.options,
    )


def event_data(event: TrainingEvent | Checkpoint) -> Mapping[str, object]:
    """Return a callback's argument as JSON data, with its members named as on the wire.

    The data of a checkpoint includes its adapter. A member that the frame lacks, or that has the
    wrong type, is null; the callback receives None.
    """
    if isinstance(event, Checkpoint):
        return {**event_data(event.saved), "adapter": event.adapter}
    names = [attribute.name for attribute in fields(type(event)) if attribute.name != "extra"]
    known: dict[str, object] = {_camel(name): getattr(event, name) for name in names}
    return {**arkor_proto.encode_event_data(event), **known}


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def explain(error: Exception) -> Failure:  # noqa: PLR0911 - one arm per kind
    """Return the failure to report to the kit; the class of the error decides its kind."""
    match error:
        case Provoked():
            return Failure("callback", str(error))
        case arkor_proto.Aborted():
            return Failure("aborted", str(error))
        case arkor_proto.GaveUp():
            return Failure("gave_up", str(error))
        case arkor_proto.StatusError():
            return Failure("http", str(error), error.status)
        case arkor_proto.TransportError():
            return Failure("transport", str(error))
        case arkor_proto.ArkorError():
            return Failure("protocol", str(error))
        case _:
            return Failure("other", f"{type(error).__name__}: {error}")


def _seconds(config: Mapping[str, Json], key: str, default: float) -> float:
    value = config.get(key)
    return value / 1000 if isinstance(value, int | float) else default


def _snake(values: Mapping[str, Json]) -> dict[str, Json]:
    return {_HUMP.sub("_", name).lower(): value for name, value in values.items()}


def _table(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
