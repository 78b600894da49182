"""Command lines as text: on each platform, words that are joined come back when they are split."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkor_proto.cli.quoting import joined, split

WORDS = st.lists(st.text(st.sampled_from("aC:\\/\"' \t$=ä"), max_size=8), max_size=4)


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@given(words=WORDS)
def test_what_is_joined_is_split_again(platform: str, words: list[str]) -> None:
    assert split(joined(words, platform), platform) == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (r"C:\Python\python.exe C:\my\driver.py", [r"C:\Python\python.exe", r"C:\my\driver.py"]),
        (r'"C:\Program Files\node.exe" a.mjs', [r"C:\Program Files\node.exe", "a.mjs"]),
        (r'a"b c"d', ["ab cd"]),
        (r'a\"b "c\\" \\x', ['a"b', "c\\", r"\\x"]),
        ('  a \t "" ', ["a", ""]),
        ("'a b'", ["'a", "b'"]),
        ("", []),
    ],
)
def test_on_windows_a_backslash_is_itself(line: str, words: list[str]) -> None:
    assert split(line, "win32") == words
    assert split(subprocess.list2cmdline(words), "win32") == words


def test_elsewhere_a_shell_is_followed() -> None:
    assert split(r"'a b' c\ d", "linux") == ["a b", "c d"]


@pytest.mark.parametrize("platform", ["linux", "win32"])
def test_a_quote_that_is_not_closed_is_refused(platform: str) -> None:
    with pytest.raises(ValueError, match="No closing quotation"):
        split('a "b', platform)
