"""Which names have a secret as their value: of header fields, parameters and members of JSON."""

import re
import unicodedata
from typing import Final

REDACTED: Final = "[redacted]"
EXACT: Final = frozenset({"auth", "jwt", "otp", "pass", "pat", "pwd", "sid", "sig", "xauth"})
_IN_TARGETS: Final = frozenset({"key", "code"})
"""Ordinary names in JSON, and those of API keys and login codes in a URL."""
PARTS: Final = re.compile(
    r"token|secret|passw|passphrase|credential|authorization|authentication|cookie|signature|"
    r"bearer|session(?:id|key)|"
    r"(?:api|access|account|auth|encryption|functions|master|private|shared|signing|subscription)key"
)
# What models count and how they cut text up; `expires` and `type` tell nothing.
NOT_SECRET: Final = re.compile(
    r"tokeni[sz]\w*|tokens?_?(?:type|count|limit|budget|usage|used|details|url|endpoint|expir\w*)"
)


def is_secret_name(name: str, *, in_target: bool = False) -> bool:
    """Tell whether the value of this name is a secret: of a header, a parameter or a member."""
    flat = flattened(name)
    if flat in EXACT or (in_target and flat in _IN_TARGETS):
        return True
    return PARTS.search(NOT_SECRET.sub("", flat)) is not None


def flattened(name: str) -> str:
    """Return a name without case and punctuation."""
    folded = (name if name.isascii() else unicodedata.normalize("NFKC", name)).casefold()
    return "".join(char for char in folded if char.isalnum())
