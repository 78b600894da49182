"""Builds a job from an application's arguments, after checking their names and types."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from attrs import frozen

from arkor_proto._checks import check_kind, wrong_kind
from arkor_proto._json import camel
from arkor_proto._text import nearest
from arkor_proto._types import JobSpec
from arkor_proto._value import Value
from arkor_proto._walk import JsonObject


@frozen(repr=False, eq=False)
class _Kind(Value):
    types: tuple[type, ...]
    what: str

    def takes(self, value: object) -> bool:
        """Return whether `value` is of this kind; a bool does not count as a number."""
        return isinstance(value, self.types) and (isinstance(value, bool) == (bool in self.types))


_WHOLE: Final = _Kind((int,), "a whole number")
_NUMBER: Final = _Kind((int, float), "a number")
_TEXT: Final = _Kind((str,), "a str")
_SWITCH: Final = _Kind((bool,), "True or False")

_Kinds: TypeAlias = Mapping[str, _Kind]
LORA: Final[_Kinds] = {
    "r": _WHOLE,
    "alpha": _NUMBER,
    "max_length": _WHOLE,
    "load_in_4bit": _SWITCH,
}
"""The LoRA options, with the kind of value that each takes."""
OPTIONS: Final[_Kinds] = {
    "max_steps": _WHOLE,
    "num_train_epochs": _NUMBER,
    "learning_rate": _NUMBER,
    "batch_size": _WHOLE,
    "optim": _TEXT,
    "lr_scheduler_type": _TEXT,
    "weight_decay": _NUMBER,
    "warmup_steps": _WHOLE,
    "logging_steps": _WHOLE,
    "save_steps": _WHOLE,
    "eval_steps": _WHOLE,
    "train_on_responses_only": _SWITCH,
    "dataset_format": _TEXT,
    "dataset_split": _TEXT,
    "dry_run": _SWITCH,
}
"""The training options other than LoRA's, with the kind of value that each takes."""
_OTHERWISE_ON_THE_WIRE: Final = {"r": "loraR", "alpha": "loraAlpha"}
"""The options whose wire name is not the camelCase form of the Python name."""
DATASETS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "huggingface": (("name",), ("split", "subset")),
    "blob": (("url",), ("token",)),
}
"""For each dataset type, its required and its optional members."""


def job_spec(
    name: str,
    *,
    model: str,
    dataset: JsonObject,
    lora: JsonObject | None = None,
    options: JsonObject | None = None,
) -> JobSpec:
    """Return the job to submit; the keys of `lora` and `options` are ARK-WIR names in snake_case.

    A key that is absent is not sent; a key whose value is None, 0 or False is. A dataset is sent
    unchanged. Raise ValueError for an unknown option or dataset type and for a value that JSON
    cannot hold, and TypeError for an argument or option of the wrong type.
    """
    check_kind("model", model, str, "the name of the model as a str")
    if not model:
        raise ValueError("model: must not be empty; pass the name of the model")
    lora, options = lora or {}, options or {}
    for argument, table in (("dataset", dataset), ("lora", lora), ("options", options)):
        check_kind(argument, table, Mapping, "a mapping of names to values")
    _check_dataset(dataset)
    config: dict[str, object] = {"model": model, "datasetSource": dict(dataset)}
    for table, kinds, where in ((lora, LORA, "lora"), (options, OPTIONS, "trainer")):
        for key, value in table.items():
            _check(key, value, kinds, where)
            config[wire_name(key)] = value
    return JobSpec(name=name, config=config)


def wire_name(option: str) -> str:
    """Return the name under which an option is sent in `config` (ARK-WIR-4)."""
    return _OTHERWISE_ON_THE_WIRE.get(option) or camel(option)


def _check_dataset(dataset: JsonObject) -> None:
    kind = dataset.get("type")
    if not isinstance(kind, str) or kind not in DATASETS:
        raise ValueError(f"dataset: unknown type {kind!r}; {nearest(str(kind), DATASETS)}")
    required, optional = DATASETS[kind]
    for key in (*required, *optional):
        value = dataset.get(key)
        if (value is None or value == "") and key in required:
            raise ValueError(f"dataset: {key!r} is missing; a {kind} dataset needs it")
        if value is not None and not isinstance(value, str):
            raise wrong_kind(f"dataset[{key!r}]", value, "a str")


def _check(key: str, value: object, kinds: _Kinds, where: str) -> None:
    kind = kinds.get(key)
    if kind is None:
        raise ValueError(f"{where}: {key!r} is not an option; {nearest(key, kinds)}")
    if value is not None and not kind.takes(value):
        raise wrong_kind(f"{where}: {key}", value, f"{kind.what}, or None")
