"""`arkor-conformance report`: write reports of a saved run; `report merge` merges shards."""

from pathlib import Path

import click

from conformance.commands import options
from conformance.plain import say
from conformance.reports import check_reports, write_run
from conformance.reports.run_json.saved import load
from conformance.strict_data import ReadingError
from conformance.verdict.statuses import Exit


class _WithMerge(click.Command):
    """The command `report`, which delegates to `report merge` if `merge` is its first argument."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: object,
    ) -> click.Context:
        """Return the context of `report`, or of `report merge` if `args` begins with `merge`."""
        if args[:1] != ["merge"]:
            return super().make_context(info_name, args, parent, **extra)
        from conformance.commands import merge_command  # noqa: PLC0415 - loads the runner

        name = f"{info_name} merge"
        return merge_command.command.make_context(name, args[1:], parent, **extra)


@click.command(cls=_WithMerge)
@click.argument("run", type=options.FILE)
@options.reports(required=True)
def command(*, run: Path, reports: tuple[Path, ...]) -> int:
    """Write reports of RUN, a saved run.json.

    To merge shards into one run, use `report merge`, which has its own --help.

    \b
    example:
      arkor-conformance report run.json --report report.html
    """  # noqa: D301 - \b is click's mark for lines to keep
    check_reports(reports)
    saved = load(run)
    try:
        write_run(reports, saved)
    except ReadingError as error:
        raise click.ClickException(str(error)) from error
    for path in reports:
        say(f"wrote {path}")
    return Exit.OK
