"""`arkor-conformance`: the kit on the command line. Each command loads only what it needs."""

import importlib
import os
import signal
import sys
from typing import Final

import click

from conformance.reading import ReadingError
from conformance.verdict_words import Exit

_COMMANDS: Final = {
    "run": "Judge a client: the reference, or the driver given after --.",
    "report": "Make the reports of a saved run again.",
    "list": "List the cases.",
    "show": "Show one case: what it does and what it expects.",
    "smoke": "Is my driver sound? Speak every command with it.",
    "explore": "Try a client on random schedules of faults; shrink the first it does not survive.",
    "diff": "Play the same random schedules with two clients and show where they part.",
    "mutants": "Judge the kit: which broken clients it catches, and by which rule.",
    "coverage": "Show which cases and mutants stand for each requirement.",
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

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; a reader that has seen enough (`list | head`) is no error of ours."""
        try:
            result: object = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # What is still buffered has nowhere to go, and must not be flushed at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 128 + signal.SIGPIPE
        return result

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

    Exit status: 0 ok, 1 a rule is broken, 2 stale baseline, 3 kit, driver or usage error,
    4 no case ran.
    """  # noqa: D301 - \b is click's word for: keep these lines


def main() -> None:
    """Run the command line; every problem of usage is a sentence and status 3."""
    try:
        status: object = cli.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        status = Exit.UNUSABLE
    except click.ClickException as error:
        click.echo(f"arkor-conformance: {error.format_message()}", err=True)
        status = Exit.UNUSABLE
    except (ReadingError, FileNotFoundError) as error:
        click.echo(f"arkor-conformance: {error}", err=True)
        status = Exit.UNUSABLE
    except (click.Abort, KeyboardInterrupt):
        click.echo("arkor-conformance: interrupted", err=True)
        status = 130
    sys.exit(int(status) if isinstance(status, int) else Exit.OK)


if __name__ == "__main__":
    main()
