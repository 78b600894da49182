"""What importing the core loads: attrs, nothing that does I/O, and nothing that few jobs need."""

import json
import subprocess
import sys

HEAVY = {
    "asyncio",
    "difflib",
    "email",
    "hashlib",
    "ipaddress",
    "random",
    "select",
    "socket",
    "ssl",
    "urllib",
}


def test_the_core_loads_no_sockets_and_no_random_numbers() -> None:
    code = (
        "import sys; before = set(sys.modules); import arkor_proto, json;"
        "print(json.dumps(sorted({m.partition('.')[0] for m in set(sys.modules) - before})))"
    )
    command = [sys.executable, "-P", "-c", code]
    found = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    loaded: list[str] = json.loads(found.stdout)
    assert HEAVY & {*loaded} == set()
    assert {*loaded} - sys.stdlib_module_names == {"arkor_proto", "attr", "attrs"}
