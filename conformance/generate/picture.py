"""Make the picture in the README: a screenshot of the report on a broken client.

`python -m conformance.generate.picture` runs every case against a broken client, which takes
about a minute, opens the report in Chromium (`CHROME` names another browser) and writes
`spec/pictures/report.png`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from conformance.verdict.statuses import Exit

PICTURE: Final = Path(__file__).parents[2] / "spec" / "pictures" / "report.png"
SIZE: Final = (1280, 1000)
_BROKEN: Final = "backoff.waits-linearly"
_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
_QUIET: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"),
    *("--force-color-profile=srgb", "--force-device-scale-factor=1"),
)


def main() -> None:
    """Run the kit and take a screenshot of its report."""
    with TemporaryDirectory() as folder:
        page = Path(folder, "report.html")
        judge(page)
        photograph(page, PICTURE)


def judge(page: Path, *chosen: str) -> None:
    """Judge a broken client and write the report to `page`; `chosen` holds case options."""
    # The page shows the driver's command as given, so leave the path of this Python out of it.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    driver = ("python", "-m", "conformance.mutants.driver", _BROKEN)
    command = (sys.executable, "-m", "conformance", "run", *chosen, "--report", str(page), "--")
    done = subprocess.run(  # noqa: S603 - it runs the kit itself
        [*command, *driver], env={**os.environ, "PATH": path}, check=False
    )
    if done.returncode != Exit.FAILED:
        sys.exit(
            f"the run ended with status {done.returncode}, but a broken client must fail with status 1"
        )


def photograph(page: Path, out: Path) -> None:
    """Open a page in a browser window of `SIZE` and save a screenshot to `out`."""
    named = os.environ.get("CHROME")
    found = [shutil.which(name) for name in ((named,) if named else _BROWSERS)]
    browser = next((each for each in found if each), None)
    if browser is None:
        sys.exit("no Chromium on PATH; install Chromium, or set CHROME to another browser")
    width, height = SIZE
    with TemporaryDirectory() as profile:
        window = (f"--user-data-dir={profile}", f"--window-size={width},{height}")
        command = [browser, *_QUIET, *window, f"--screenshot={out}", page.absolute().as_uri()]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - the user's browser


if __name__ == "__main__":
    main()
