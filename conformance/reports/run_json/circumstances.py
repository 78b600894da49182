"""When and where a run took place, so that its report makes sense years later."""

import platform
from datetime import UTC, datetime

from attrs import frozen


@frozen
class Circumstances:
    """The date, in UTC to the second, and the machine: its system, processor and Python version."""

    date: str
    host: str

    @classmethod
    def here(cls) -> "Circumstances":
        """Return the current date and a description of this machine, without its host name."""
        python = f"{platform.python_implementation()} {platform.python_version()}"
        system = f"{platform.system()} {platform.release()} {platform.machine()}"
        return cls(datetime.now(UTC).isoformat(timespec="seconds"), f"{system}, {python}")
