"""A control program around another one, whose backend is then seen through a proxy.

python -m tests.backends.behind (buffering | unbuffered | mock) -- PROGRAM [ARGUMENT]...
"""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Final

from tests.backends.nginx import nginx
from tests.backends.program import Message


@contextmanager
def mock_proxy(base_url: str) -> Generator[str]:
    """Put the proxy of the mock in front, without a fault."""
    words = (sys.executable, "-P", "-m", "mock_server", "proxy", "--upstream", base_url, "--quiet")
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready: dict[str, str] = json.loads(process.stdout.readline())
            yield ready["base_url"]
        finally:
            process.terminate()


PROXIES: Final[dict[str, Callable[[str], AbstractContextManager[str]]]] = {
    "buffering": nginx,
    "unbuffered": lambda base_url: nginx(base_url, more="proxy_buffering off;"),
    "mock": mock_proxy,
}


def main(proxy: str, words: Sequence[str]) -> int:
    """Pass the lines on, with other addresses in them; return the status of the program."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the proxy does not stay
    known: dict[str, str] = {}
    with ExitStack() as running:
        program = running.enter_context(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
        assert program.stdout is not None
        for line in program.stdout:
            answer: dict[str, Message] = json.loads(line)
            base_url = str(answer.get("ok", {}).get("base_url", ""))
            if base_url and base_url not in known:
                known[base_url] = running.enter_context(PROXIES[proxy](base_url))
            if base_url:
                answer["ok"]["base_url"] = known[base_url]
            print(json.dumps(answer), flush=True)  # noqa: T201 - the protocol
        return program.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[3:]))
