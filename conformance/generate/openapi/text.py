"""Write the OpenAPI description as YAML."""

import yaml

from conformance.generate.openapi.document import description


class _Dumper(yaml.SafeDumper):
    """Writes YAML without aliases, and with multi-line strings as blocks."""

    def ignore_aliases(self, data: object) -> bool:
        """Return True, so that a repeated value is written out in full each time."""
        del data
        return True


def _represent_text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _represent_text)


def text() -> str:
    """Return the text of `spec/openapi.yaml`."""
    return yaml.dump(description(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
