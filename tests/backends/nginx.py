"""Debian's nginx in front of a backend, as an ordinary user and in a temporary folder."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

NGINX: Final = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
needs_nginx: Final = pytest.mark.skipif(NGINX is None, reason="nginx is not on this machine")
CONFIGURATION: Final = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    scgi_temp_path scgi;
    uwsgi_temp_path uwsgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass {base_url};
            {more}
        }}
    }}
}}
"""


@contextmanager
def nginx(base_url: str, *, more: str = "") -> Generator[str]:
    """Serve what is at `base_url` and yield the URL of the proxy.

    Everything is as nginx has it by default, buffering included, but for the directives of the
    location in `more`, such as `proxy_buffering off;`.
    """
    assert NGINX is not None
    with tempfile.TemporaryDirectory() as folder, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(512)
        port = listener.getsockname()[1]
        text = CONFIGURATION.format(port=port, base_url=base_url, more=more)
        Path(folder, "nginx.conf").write_text(text, "utf-8")
        user = _ordinary_user(folder)
        words = [NGINX, "-e", "stderr", "-p", folder, "-c", "nginx.conf"]
        with subprocess.Popen(
            words,
            user=user,
            pass_fds=[listener.fileno()],
            # It takes over a socket that listens already, as in an upgrade of the program: then no
            # port has to be guessed, and a connection waits until nginx is there to accept it.
            env={"NGINX": f"{listener.fileno()};"},
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield f"http://127.0.0.1:{port}"
                assert process.poll() is None, process.communicate()[1]
            finally:
                process.terminate()


def _ordinary_user(folder: str) -> int | None:
    """Give the folder to a user who is not root; None if this process is not root itself."""
    if os.geteuid() != 0:
        return None
    nobody = 65534
    for path in (Path(folder), *Path(folder).iterdir()):
        os.chown(path, nobody, nobody)
    return nobody
