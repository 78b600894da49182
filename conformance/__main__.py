"""`arkor-conformance`: the kit on the command line. Each command loads only what it needs."""

import gc
import importlib
import re
import sys
from importlib.util import find_spec
from typing import Final

_LACKING: Final = "is not installed; pip install 'arkor-proto[conformance]'"
_LATER: Final = ("anyio", "h11", "jinja2", "rich")
"""Packages that only some commands import; a missing one is reported at start-up."""

try:
    # isort: off
    from arkor_proto.cli import shell  # first, so that a signal ends the other imports quietly

    # isort: on
    import click

    from conformance.commands.interruption import Interruption
    from conformance.drive.offspring import adopt_orphans, end_orphans
    from conformance.plain import one_line, say
    from conformance.strict_data import ReadingError, UsageError
    from conformance.verdict.statuses import Exit
    from mock_server.strict.shapes import nearest
except ImportError as missing:  # the extra is not installed; status 1 would mean a verdict
    name = (missing.name or "a package").partition(".")[0]
    sys.stderr.write(f"arkor-conformance: {name} {_LACKING}\n")
    sys.exit(3)

_MOST_MISTAKES: Final = 20
_EXTRA: Final = r"^Got unexpected extra arguments? \((.*)\)$"
"""Matches click's message about unexpected operands."""
_COMMANDS: Final = {
    "run": "Judge a client: the reference client, or the driver given after --.",
    "backend": "Judge a backend: the mock server, or one at a given address.",
    "report": "Regenerate the reports of a saved run.",
    "compare": "Compare saved runs: several clients or backends, or one over time.",
    "list": "List the cases.",
    "show": "Show one case: its rules with their sources, its steps and expectations.",
    "init": "Write a working driver in Python or JavaScript as a starting point.",
    "smoke": "Check a driver: send it every command.",
    "parser": "Judge a bare event-stream parser: bytes in, events out.",
    "explore": "Play random fault schedules, and shrink the first that makes a client break a rule.",
    "diff": "Play the same random schedules with two clients and show where they differ.",
    "simulate": "Simulate jobs with faults, or a fleet of clients: real sessions in virtual time.",
    "states": "Check every reachable state of the session, and show the shortest path to a failure.",
    "mutants": "Judge the kit: show which broken clients it catches, and by which rule.",
    "coverage": "Show how many cases test each requirement, and how many mutants break it.",
}


class _Lazily(click.Group):
    """A group of commands, each of which is imported only when it is called."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args:
            raise click.UsageError(f"missing command; use one of {', '.join(_COMMANDS)}", ctx)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run a command, and add its context to a usage error that has none."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            name = ctx.invoked_subcommand
            command = self.get_command(ctx, name) if name and error.ctx is None else None
            if command is not None:
                error.ctx = click.Context(command, parent=ctx, info_name=name)
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            near = nearest(cmd_name, _COMMANDS)
            if not near.startswith("did you mean"):  # show every command, however long the list is
                near = f"write one of {', '.join(_COMMANDS)}"
            raise click.UsageError(f"{cmd_name!r} is not a command; {near}")
        module = importlib.import_module(f"conformance.commands.{cmd_name}_command")
        found: object = getattr(module, "command", None)
        return found if isinstance(found, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_Lazily,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.version_option(package_name="arkor-proto", message="%(prog)s %(version)s")
def cli() -> None:
    """Verify any client of the Arkor trainer protocol, in any language, and any backend.

    \b
    example:
      arkor-conformance run                         judge the reference client
      arkor-conformance run -- node my-driver.mjs   judge your own client

    \b
    exit status:
      0    the client or backend conforms, or the command succeeded
      1    the client or backend does not conform, or the command found a problem
      2    the command line is wrong; nothing was done
      3    no verdict: a file cannot be read, the output cannot be written, or the
           driver or the kit failed
      4    no case was played
      5    a baseline is stale
      130, 143, 141
           ended by Ctrl-C, by SIGTERM, or because the output was closed (| head)
    """  # noqa: D301 - \b tells click not to rewrap the lines


def main() -> None:
    """Run the command line; print problems as sentences, and exit with status 1 only on a verdict."""
    sys.exit(shell.run("arkor-conformance", _started))


def _started() -> int:
    for package in _LATER:
        if find_spec(package) is None:
            raise shell.CommandError(f"{package} {_LACKING}", shell.UNABLE)
    interruption = Interruption()
    interruption.install()
    adopt_orphans()
    # Traces stay in memory and form no cycles; scanning them repeatedly took a tenth of a run.
    gc.set_threshold(50_000, 50)
    try:
        return _run(interruption)
    finally:
        end_orphans()


def _run(interruption: Interruption) -> int:
    """Run the command with click, and turn its exceptions into the ones `shell.run` expects."""
    try:
        status: object = cli.main(
            prog_name="arkor-conformance", standalone_mode=False, obj=interruption
        )
    except click.UsageError as error:
        raise shell.CommandError(_refusal(error)) from error
    except click.ClickException as error:
        raise shell.CommandError(error.format_message(), Exit.UNUSABLE) from error
    except ReadingError as error:
        unusable = shell.USAGE if isinstance(error, UsageError) else Exit.UNUSABLE
        *others, last = _each(error)
        for mistake in others:
            say(one_line(f"arkor-conformance: {mistake}"), err=True)
        raise shell.CommandError(last, unusable) from error
    except (click.Abort, KeyboardInterrupt):
        raise KeyboardInterrupt(interruption.number) from None
    except SystemExit:  # click raises this if the output was closed
        raise BrokenPipeError from None
    return int(status) if isinstance(status, int) else Exit.OK


def _each(error: ReadingError) -> list[str]:
    """Return as many mistakes as fit on a screen, and how many are left out."""
    more = len(error.mistakes) - _MOST_MISTAKES
    rest = [f"and {more} more mistake{'s' if more > 1 else ''}"] if more > 0 else []
    return [*error.mistakes[:_MOST_MISTAKES], *rest]


def _refusal(error: click.UsageError) -> str:
    """Describe what is wrong with the command line, naming the wrong argument first, if any."""
    match error:
        case click.NoSuchOption():
            text = f"{error.option_name}: unknown"
        case click.MissingParameter(param=click.Parameter() as missing):
            text = f"{_shown(missing)}: missing"
        case click.BadParameter(param=click.Parameter() as wrong):
            text = f"{_shown(wrong)}: {error.message}"
        case click.BadOptionUsage(option_name=option):
            lacking = error.message.endswith("requires an argument.")
            text = f"{option}: {'needs a value' if lacking else 'takes no value'}"
        case _:
            text = re.sub(_EXTRA, r"\1: unexpected", error.format_message())
    if text.endswith("?"):
        return text
    where = error.ctx.command_path if error.ctx else "arkor-conformance"
    return f"{text.removesuffix('.')}; see `{where} --help`"


def _shown(parameter: click.Parameter) -> str:
    is_option = isinstance(parameter, click.Option)
    return parameter.opts[-1] if is_option else parameter.human_readable_name


if __name__ == "__main__":
    main()
