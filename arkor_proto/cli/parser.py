"""Argument parsing for our commands: argparse, but with one-line errors."""

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from attrs import field, frozen

from arkor_proto._text import nearest
from arkor_proto._version import __version__
from arkor_proto.cli import numbers
from arkor_proto.cli.shell import CommandError

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

_T = TypeVar("_T")
_EPILOG: Final = """\
example:
  {} {}

exit status:
  0    {}
  1    {}
  2    the command line, or a file that it names, is wrong; nothing was done
  3    {}
  130, 143, 141
       ended by Ctrl-C, by SIGTERM, or because the output was closed (| head)
"""
_REQUIRED: Final = "the following arguments are required: "
"""The start of the only argparse message that does not begin with the argument."""
_WORDED: Final = {
    r"expected one argument$": "needs a value",
    r"ignored explicit argument .*": "takes no value",  # the argument may be a secret
}
"""Our wording for some argparse messages; the keys are regular expressions."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises CommandError if the arguments are wrong."""

    def error(self, message: str) -> NoReturn:
        """Raise CommandError; its message begins with the argument that is wrong."""
        text = message.removeprefix("argument ")
        if text.startswith(_REQUIRED):
            text = f"{text.removeprefix(_REQUIRED)}: missing"
        for theirs, ours in _WORDED.items():
            text = re.sub(theirs, ours, text, flags=re.DOTALL)
        raise CommandError(f"{text}; see `{self.prog} --help`")

    def _print_message(self, message: str, file: "SupportsWrite[str] | None" = None) -> None:
        (sys.stdout if file is None else file).write(message)  # argparse would hide an OSError


@frozen
class Commands:
    """A command and its subcommands; `parsers` contains the parser of each subcommand."""

    name: str
    parsers: Mapping[str, Parser]
    _top: Parser = field(alias="top")

    def parse(self, given: Sequence[str]) -> argparse.Namespace:
        """Parse the arguments; raise CommandError if they are wrong.

        Raise SystemExit after printing the help text or the version.
        """
        first = given[0] if given else ""
        if not given:
            known = ", ".join(self.parsers)
            raise CommandError(f"missing command; use one of {known}; see `{self.name} --help`")
        if not first.startswith("-") and first not in self.parsers:
            raise CommandError(f"{first!r} is not a command; {nearest(first, self.parsers)}")
        options, unknown = self._top.parse_known_args(given)
        if unknown:
            # The value of an unknown option may be a secret, and errors end up in logs.
            named = [each.partition("=")[0] for each in unknown if each.startswith("-")]
            problem = "unknown" if named else "unexpected"
            self.parsers[options.command].error(f"{' '.join(named or unknown)}: {problem}")
        return options


def commands(
    name: str,
    sentence: str,
    subcommands: Mapping[str, tuple[str, str]],
    statuses: tuple[str, str, str],
    more: str = "",
) -> Commands:
    """Return the command `name`; `subcommands` gives the description and an example of each.

    `statuses` explains exit statuses 0, 1 and 3; `more` is appended to every help text. The help
    text of the command itself shows the example of the first subcommand.
    """
    ends = [_EPILOG.format(name, each, *statuses) + more for _, each in subcommands.values()]
    shape, fixed = argparse.RawDescriptionHelpFormatter, False
    top = Parser(
        name, description=sentence, epilog=ends[0], formatter_class=shape, allow_abbrev=fixed
    )
    top.add_argument("--version", action="version", version=f"{name} {__version__}")
    added = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parsers = {
        each: added.add_parser(
            each,
            help=text,
            description=text,
            epilog=end,
            formatter_class=shape,
            allow_abbrev=fixed,
        )
        for (each, (text, _)), end in zip(subcommands.items(), ends, strict=True)
    }
    return Commands(name, parsers, top)


def typed(read: Callable[[str], _T]) -> Callable[[str], _T]:
    """Wrap `read` for `add_argument(type=…)`, so that argparse shows the ValueErrors it raises."""

    def reading(text: str) -> _T:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return reading


def one_of(names: Sequence[str]) -> Callable[[str], str]:
    """Return a function for `add_argument(type=…)` that accepts only these names."""

    def reading(text: str) -> str:
        if text not in names:
            raise ValueError(f"{text!r} is not one of {', '.join(map(repr, names))}")
        return text

    return typed(reading)


def _some(text: str) -> float:
    found = numbers.seconds(text)
    if not found:
        raise ValueError("must be more than 0 seconds")
    return found


whole: Final = typed(numbers.whole)
"""A whole number, 0 or greater."""
seconds: Final = typed(numbers.seconds)
"""A number of seconds."""
some_seconds: Final = typed(_some)
"""A number of seconds greater than 0."""
