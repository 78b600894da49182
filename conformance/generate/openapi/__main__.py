"""`python -m conformance.generate.openapi` writes the OpenAPI description, `spec/openapi.yaml`."""

from pathlib import Path

from conformance.generate.openapi.text import text

if __name__ == "__main__":
    spec = Path(__file__).parents[3] / "spec"
    (spec / "openapi.yaml").write_text(text(), "utf-8", newline="\n")
