"""Tell from the name of a header field, parameter or JSON member whether its value is secret."""

import re
import unicodedata
from typing import Final

REDACTED: Final = "[redacted]"
EXACT: Final = frozenset({"auth", "jwt", "otp", "pass", "pat", "pwd", "sid", "sig", "xauth"})
_IN_TARGETS: Final = frozenset({"key", "code"})
"""Names that are ordinary in JSON but stand for API keys and login codes in URLs."""
PARTS: Final = re.compile(
    r"token|secret|passw|passphrase|credential|authorization|authentication|cookie|signature|"
    r"bearer|session(?:id|key)|"
    r"(?:api|access|account|auth|encryption|functions|master|private|shared|signing|subscription)key"
)
# Not secret: counts of tokens, tokenizers, and metadata such as `token_type` and `token_expires`.
NOT_SECRET: Final = re.compile(
    r"tokeni[sz]\w*|tokens?_?(?:type|count|limit|budget|usage|used|details|url|endpoint|expir\w*)"
)


def is_secret_name(name: str, *, in_target: bool = False) -> bool:
    """Return whether a header, a parameter or a member with this name has a secret value."""
    flat = flattened(name)
    if flat in EXACT or (in_target and flat in _IN_TARGETS):
        return True
    return PARTS.search(NOT_SECRET.sub("", flat)) is not None


def flattened(name: str) -> str:
    """Return a name in lower case and without punctuation."""
    folded = (name if name.isascii() else unicodedata.normalize("NFKC", name)).casefold()
    return "".join(char for char in folded if char.isalnum())
