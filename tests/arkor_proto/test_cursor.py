"""The resume cursor: which frame moves it, and what the next open says."""

import pytest

from arkor_proto import PROFILES, Profile, UnsendableCursor
from tests.arkor_proto.session_driver import Trainer, following, streaming
from tests.arkor_proto.wire_samples import attempts, frame, log

everywhere = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
POISON = ["a\x01b", "\x7f", " lead", "trail ", "\tlead", "x" * 1025, "é" * 513, "\x1b[0m"]
FINE = ["1", "a b", "a\tb", "x" * 1024, "é" * 512, "日本", "\U0001f600", "e5p3n<3k0k0s", "\xa0"]


def reopened(trainer: Trainer) -> bytes | None:
    """Break the stream, wait for the next open and return its cursor."""
    return trainer.broken().due().last_event_ids[-1]


@everywhere
def test_a_reopened_stream_resumes_behind_the_last_frame(profile: Profile) -> None:
    assert reopened(streaming(profile).frame(log(1), id="a").frame(log(2), id="b")) == b"b"


@everywhere
def test_the_cursor_outlives_frames_without_an_id(profile: Profile) -> None:
    assert reopened(streaming(profile).frame(log(1), id="a").frame(log(2))) == b"a"


@everywhere
def test_the_cursor_outlives_streams_without_an_id(profile: Profile) -> None:
    trainer = streaming(profile).frame(log(1), id="a").broken().due().open().frame(log(2))
    assert reopened(trainer) == b"a"


@everywhere
def test_an_unfinished_block_moves_nothing(profile: Profile) -> None:
    assert reopened(streaming(profile).frame(log(1), id="a").raw(b"id: b\ndata: {}\n")) == b"a"


@everywhere
def test_a_block_with_an_id_and_no_data_moves_the_cursor(profile: Profile) -> None:
    assert reopened(streaming(profile).raw(b"id: 7\n\n")) == b"7"


@everywhere
def test_such_a_block_between_frames_moves_it_in_its_turn(profile: Profile) -> None:
    trainer = streaming(profile, callback=None)
    trainer.raw(frame(log(1), id="1") + b"id: 2\n\n" + frame(log(3)))
    during = trainer.session.last_event_id
    assert (during, trainer.handled().handled().session.last_event_id) == ("1", "2")


@everywhere
def test_an_empty_id_clears_the_cursor(profile: Profile) -> None:
    assert reopened(streaming(profile).frame(log(1), id="a").frame(log(2), id="")) is None


@everywhere
def test_an_empty_id_without_data_clears_the_cursor(profile: Profile) -> None:
    assert reopened(streaming(profile).frame(log(1), id="a").raw(b"id\n\n")) is None


@everywhere
def test_an_id_with_a_nul_is_ignored(profile: Profile) -> None:
    assert reopened(streaming(profile).frame(log(1), id="a").raw(b"id: x\0y\ndata: {}\n\n")) == b"a"


@everywhere
@pytest.mark.parametrize(("data", "event"), [("", "ping"), ("nope", "message"), ("null", "x")])
def test_the_id_of_a_frame_that_is_skipped_moves_the_cursor(
    profile: Profile, data: str, event: str
) -> None:
    assert reopened(streaming(profile).frame(data, id="p", event=event)) == b"p"


@everywhere
def test_the_id_of_an_unknown_type_moves_the_cursor(profile: Profile) -> None:
    assert reopened(streaming(profile).frame({"type": "x"}, id="u")) == b"u"


@everywhere
@pytest.mark.parametrize("cursor", FINE)
def test_a_cursor_is_sent_back_as_its_utf8_bytes(profile: Profile, cursor: str) -> None:
    assert reopened(streaming(profile).frame(log(1), id=cursor)) == cursor.encode()


@everywhere
def test_cursors_are_opaque_and_may_go_backwards(profile: Profile) -> None:
    assert reopened(streaming(profile).frame(log(9), id="9").frame(log(1), id="1")) == b"1"


@everywhere
@pytest.mark.parametrize("cursor", POISON)
def test_a_poison_cursor_rejects_at_once_when_the_stream_breaks(
    profile: Profile, cursor: str
) -> None:
    trainer = streaming(profile).frame(log(1), id=cursor).broken()
    error = trainer.error()
    assert isinstance(error, UnsendableCursor)
    assert (error.cursor, trainer.delays) == (cursor, [])


@everywhere
def test_a_poison_cursor_rejects_at_once_after_a_clean_end(profile: Profile) -> None:
    trainer = streaming(profile).frame(log(1), id="a\x01").eof()
    assert isinstance(trainer.error(), UnsendableCursor)


@everywhere
def test_a_poison_cursor_does_not_disturb_an_open_stream(profile: Profile) -> None:
    trainer = streaming(profile).frame(log(1), id="a\x01").frame(log(2), id="2")
    assert (trainer.steps, reopened(trainer)) == ([1, 2], b"2")


@everywhere
def test_a_wait_after_a_poison_cursor_rejects_without_a_request(profile: Profile) -> None:
    trainer = streaming(profile).frame(log(1), id="a\x01").broken().follow()
    assert isinstance(trainer.error(), UnsendableCursor)
    assert trainer.routes == ["create", "stream"]


@everywhere
def test_a_wait_that_was_left_with_a_poison_cursor_rejects_too(profile: Profile) -> None:
    trainer = streaming(profile).frame(log(1), id="a\x01").leave().follow()
    assert isinstance(trainer.error(), UnsendableCursor)


@everywhere
def test_a_spent_budget_outranks_a_poison_cursor(profile: Profile) -> None:
    trainer = streaming(profile, policy=attempts(0)).frame(log(1), id="a\x01").broken()
    assert "gave up" in str(trainer.error())


@everywhere
def test_events_that_arrived_whole_are_delivered_before_the_break(profile: Profile) -> None:
    trainer = streaming(profile, callback=None).raw(frame(log(1), id="1") + frame(log(2), id="2"))
    trainer.broken()
    waiting = list(trainer.delays)
    trainer.handled().handled()
    assert (waiting, trainer.steps, trainer.delays) == ([], [1, 2], [1.0])
    assert trainer.due().last_event_ids[-1] == b"2"


@everywhere
def test_a_wait_after_a_spent_budget_resumes_at_the_cursor(profile: Profile) -> None:
    trainer = streaming(profile, policy=attempts(0)).frame(log(1), id="1").broken().follow()
    assert trainer.last_event_ids == [None, b"1"]


@pytest.mark.parametrize("cursor", [*POISON, "\ud800"])
def test_a_saved_cursor_that_cannot_be_sent_is_refused(cursor: str) -> None:
    with pytest.raises(ValueError, match="last_event_id: it "):
        Trainer(last_event_id=cursor)


@everywhere
def test_a_failed_open_keeps_the_cursor(profile: Profile) -> None:
    trainer = streaming(profile).frame(log(1), id="1").broken().due().refuse(500).due()
    assert trainer.last_event_ids == [None, b"1", b"1"]


@everywhere
def test_no_cursor_is_invented_before_the_first_id(profile: Profile) -> None:
    trainer = following(profile).broken().due().open().frame(log(1)).broken().due()
    assert trainer.last_event_ids == [None, None, None]
