"""Serve the admin page: one HTML file that may use only its own style and script.

The page itself contains no secrets, so loading it needs no token; its requests for data do.
"""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Final

from mock_server.backend.answers import Reply

_FILE: Final = Path(__file__).with_name("page.html")


@cache
def page() -> Reply:
    """Return the page, with headers that block all content from elsewhere."""
    text = _FILE.read_text(encoding="utf-8")
    policy = (
        "default-src 'none'",
        f"script-src '{_hash(text, 'script')}'",
        f"style-src '{_hash(text, 'style')}'",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
    headers = (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", "; ".join(policy)),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Cache-Control", "no-store"),
    )
    return Reply(200, headers, text.encode())


def _hash(text: str, tag: str) -> str:
    """Return the hash of the only `tag` element's contents, for Content-Security-Policy."""
    (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    return f"sha256-{base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()}"
