"""The picture of the README can be taken again: a broken client, its report, a browser."""

from pathlib import Path

import pytest

from conformance.generate.picture import PICTURE, SIZE, judge, photograph
from tests.conformance.browser import MISSING, find

CHROMIUM = find()


def size(picture: bytes) -> tuple[int, int]:
    assert picture.startswith(b"\x89PNG")
    return int.from_bytes(picture[16:20], "big"), int.from_bytes(picture[20:24], "big")


def test_the_picture_is_one_that_the_program_takes() -> None:
    picture = PICTURE.read_bytes()
    assert (size(picture), len(picture) <= 200_000) == (SIZE, True)


@pytest.mark.thorough
@pytest.mark.skipif(CHROMIUM is None, reason=MISSING)
def test_it_can_be_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROME", str(CHROMIUM))
    page, picture = tmp_path / "report.html", tmp_path / "report.png"
    judge(page, "--case", "backoff.doubles-from-the-base")
    assert "backoff.waits-linearly" in page.read_text("utf-8")
    photograph(page, picture)
    assert size(picture.read_bytes()) == SIZE


def test_a_client_that_is_not_broken_is_not_photographed(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="ended with status 0"):
        judge(tmp_path / "report.html", "--case", "create.accepted", "--profile", "2026-07")


def test_a_browser_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHROME", "no-such-browser")
    with pytest.raises(SystemExit, match="no Chromium"):
        photograph(tmp_path / "report.html", tmp_path / "report.png")
