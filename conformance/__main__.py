"""`arkor-conformance`: the kit on the command line. Each command loads only what it needs."""

import gc
import importlib
import os
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Final

try:
    import click

    from conformance.commands.interruption import Interruption
    from conformance.commands.streams import (
        abandon_output,
        complain,
        prepare,
        told,
    )
    from conformance.drive.offspring import adopt_orphans, end_orphans
    from conformance.strict_data import ReadingError, UsageError
    from conformance.verdict.statuses import Exit
except ImportError as missing:  # installed without the extra: the status must not be a verdict
    sys.stderr.write(f"arkor-conformance: {missing}; pip install 'arkor-proto[conformance]'\n")
    sys.exit(3)

_DEBUG: Final = "ARKOR_CONFORMANCE_DEBUG"
"""With this variable set, the traceback of a bug is printed instead of kept in a file."""
_SHOWN: Final = 200
_MOST_MISTAKES: Final = 20
_COMMANDS: Final = {
    "run": "Judge a client: the reference, or the driver given after --.",
    "report": "Make the reports of a saved run again.",
    "list": "List the cases.",
    "show": "Show one case: its rules and their sources, what it does and expects.",
    "smoke": "Is my driver sound? Speak every command with it.",
    "explore": "Try a client on random schedules of faults; shrink the first it does not survive.",
    "diff": "Play the same random schedules with two clients and show where they part.",
    "mutants": "Judge the kit: which broken clients it catches, and by which rule.",
    "coverage": "Show the cases and mutants of each requirement.",
}


class _Lazily(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"conformance.commands.{cmd_name}_command")
        found: object = getattr(module, "command", None)
        return found if isinstance(found, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Lazily, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="arkor-proto")
def cli() -> None:
    """Verify any client of the Arkor trainer protocol, in any language.

    \b
    arkor-conformance run                         the reference client: works out of the box
    arkor-conformance run -- node my-driver.mjs   yours

    \b
    Exit status: 0 conforms, 1 does not, 2 usage, 3 the kit or the driver failed, an input cannot
    be read or the output not be written, 4 no case was played, 5 a stale baseline.
    """  # noqa: D301 - \b is click's word for: keep these lines


def main() -> None:
    """Run the command line; every problem is a sentence, and status 1 is always a verdict."""
    if not prepare():
        complain("arkor-conformance: standard output is closed; send it somewhere")
        sys.exit(Exit.UNUSABLE)
    interruption = Interruption()
    interruption.install()
    adopt_orphans()
    # Traces are kept and never form cycles: to search them again and again is a tenth of a run.
    gc.set_threshold(50_000, 50)
    try:
        status = _run(interruption)
    finally:
        end_orphans()
    sys.exit(status)


def _run(interruption: Interruption) -> int:  # noqa: PLR0911 - one arm per kind of end
    try:
        status: object = cli.main(standalone_mode=False, obj=interruption)
        sys.stdout.flush()
    except click.UsageError as error:
        message = error.format_message()
        if message.startswith("Usage:"):  # the whole help, of a command without its arguments
            complain(message)
            return Exit.USAGE
        return _refused(message, Exit.USAGE)
    except click.ClickException as error:
        return _refused(error.format_message(), Exit.UNUSABLE)
    except UsageError as error:
        return _refused(str(error), Exit.USAGE)
    except ReadingError as error:
        return _refused("\n".join(_each(error)), Exit.UNUSABLE)
    except (click.Abort, KeyboardInterrupt):
        return _refused(str(interruption), interruption.status)
    except (BrokenPipeError, SystemExit):  # click makes the one of the other
        # A reader that has seen enough (`list | head`) is not an error.
        abandon_output()
        return 128 + signal.SIGPIPE
    except OSError as error:
        abandon_output()
        return _refused(told(error), Exit.UNUSABLE)
    except Exception as error:  # noqa: BLE001 - a traceback would end with status 1, a verdict
        return _refused(_bug(error), Exit.UNUSABLE)
    return int(status) if isinstance(status, int) else Exit.OK


def _refused(why: str, status: int) -> int:
    complain(f"arkor-conformance: {why}")
    return status


def _each(error: ReadingError) -> list[str]:
    """Return the mistakes, as many as fit on a screen."""
    more = len(error.mistakes) - _MOST_MISTAKES
    rest = [f"and {more} more mistakes"] if more > 0 else []
    return [*error.mistakes[:_MOST_MISTAKES], *rest]


def _bug(error: Exception) -> str:
    """Say that the kit is wrong, and where the details are."""
    text = "".join(traceback.format_exception(error))
    first = str(error).partition("\n")[0][:_SHOWN]
    what = f"a bug in the kit: {type(error).__name__}: {first}"
    if os.environ.get(_DEBUG):
        complain(text)
        return f"{what}; please report it with the traceback above"
    try:
        number, name = tempfile.mkstemp(prefix="arkor-conformance-", suffix=".txt")
        os.close(number)
        Path(name).write_text(text, "utf-8", errors="backslashreplace")
    except OSError:
        return f"{what}; please report it (with {_DEBUG}=1 the traceback is shown)"
    return f"{what}; please report it with {name}"


if __name__ == "__main__":
    main()
