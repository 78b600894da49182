"""The JSON Schema (2020-12) of `run.json`.

`python -m conformance.reports.schema` writes `spec/schemas/run.schema.json`; a test compares the
file with this module.
"""

from pathlib import Path

from conformance.reports.run_words import RUN
from mock_server.strict.schema import schema_document, schema_text


def run_schema() -> dict[str, object]:
    """Return the schema of a run."""
    return schema_document("run", "A run of the conformance kit", RUN.schema())


if __name__ == "__main__":
    schemas = Path(__file__).parents[2] / "spec" / "schemas"
    (schemas / "run.schema.json").write_text(schema_text(run_schema()), "utf-8")
