"""The job file of the command line: a TOML file that describes what to train.

name = "support-bot"
model = "unsloth/gemma-4-E4B-it"

[dataset]                      # or: type = "blob", url = "https://…", token = "…" (optional)
type = "huggingface"
name = "arkorlab/triage-demo"
split = "train"                # optional; so is subset

[lora]                         # optional: r, alpha, max_length, load_in_4bit
r = 16
alpha = 32

[options]                      # optional: max_steps, learning_rate, batch_size, …
max_steps = 200
"""

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Final

from attrs import field, frozen

from arkor_proto._job import DATASETS, job_spec
from arkor_proto._text import nearest
from arkor_proto._walk import JsonObject, is_object

_MAX_BYTES: Final = 2**20
_TOP: Final = ("name", "model", "dataset", "lora", "options")


@frozen(kw_only=True)
class JobFile:
    """The contents of a job file."""

    name: str
    model: str
    dataset: JsonObject = field(repr=False)
    lora: JsonObject | None
    options: JsonObject

    @property
    def digest(self) -> str:
        """A digest that identifies the job, however its file is formatted."""
        parts = [self.name, self.model, self.dataset, self.lora, self.options]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def read_job_file(path: Path) -> JobFile:
    """Return the contents of a job file; if that fails, raise a ValueError that names the file."""
    try:
        return _read(tomllib.loads(_content(path).decode()))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: not TOML: {error}") from error
    except RecursionError as error:
        raise ValueError(f"{path}: the values are nested too deeply") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError(f"larger than {_MAX_BYTES >> 20} MiB")
    return content


def _read(content: JsonObject) -> JobFile:
    _check_keys(content, _TOP, "")
    job = JobFile(
        name=_text(content, "name"),
        model=_text(content, "model"),
        dataset=_table(content, "dataset"),
        lora=_table(content, "lora") if "lora" in content else None,
        options=_table(content, "options") if "options" in content else {},
    )
    # Checks the dataset, the names of the options, and that JSON can express the values.
    job_spec(job.name, model=job.model, dataset=job.dataset, lora=job.lora, options=job.options)
    required, optional = DATASETS[str(job.dataset["type"])]
    _check_keys(job.dataset, ("type", *required, *optional), "dataset.")
    return job


def _check_keys(table: JsonObject, names: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in names:
            raise ValueError(f"{where}{key}: no such key; {nearest(key, names)}")


def _table(table: JsonObject, key: str) -> JsonObject:
    value = table.get(key)
    if is_object(value):
        return value
    if value is None:
        raise ValueError(f"{key}: missing; write a table [{key}]")
    raise ValueError(f"{key}: {_kind(value)}; write a table [{key}]")


def _text(table: JsonObject, key: str) -> str:
    value = table.get(key)
    if isinstance(value, str) and value:
        return value
    what = "missing" if value is None else "empty" if value == "" else _kind(value)
    raise ValueError(f'{key}: {what}; write {key} = "…"')


def _kind(value: object) -> str:
    return f"has type {type(value).__name__}"
