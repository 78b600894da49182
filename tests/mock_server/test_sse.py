"""Bytes are cut into the same frames, however they are chunked."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mock_server.sse import Frame, Framer, fields_of, frame_of

STREAMS = st.lists(
    st.sampled_from(
        [b"data: a", b"id: 1", b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n", b"\xff", b":"]
    )
).map(b"".join)


# On a busy machine, Hypothesis draws examples slowly; that is not a failure.
PATIENT = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])


def cut(stream: bytes, sizes: list[int]) -> tuple[list[bytes], bytes]:
    framer = Framer()
    found: list[bytes] = []
    at = 0
    for size in [*sizes, len(stream)]:
        found += raw(framer.feed(stream[at : at + size]))
        at += size
    return found, b"".join(raw(framer.close()))


def raw(frames: list[Frame]) -> list[bytes]:
    return [frame.raw for frame in frames]


@PATIENT
@given(STREAMS, st.lists(st.integers(0, 5)))
def test_the_blocks_and_the_rest_are_the_bytes_that_came(stream: bytes, sizes: list[int]) -> None:
    blocks, rest = cut(stream, sizes)
    assert b"".join(blocks) + rest == stream


@PATIENT
@given(st.sampled_from([b"\n", b"\r\n", b"\r"]), st.lists(st.integers(0, 5)))
def test_with_one_kind_of_line_end_the_chunking_changes_nothing(
    end: bytes, sizes: list[int]
) -> None:
    stream = b"".join(b"id: %d" % n + end + b"data: x" + end + end for n in range(4))
    blocks, rest = cut(stream, sizes)
    assert blocks == [b"id: %d" % n + end + b"data: x" + end + end for n in range(4)]
    assert rest == b""


def test_a_block_of_bare_cr_lines_is_complete_with_its_last_cr() -> None:
    assert raw(Framer().feed(b"data: x\r\r")) == [b"data: x\r\r"]


def test_an_unfinished_block_is_returned_at_the_end() -> None:
    framer = Framer()
    assert raw(framer.feed(b"data: x\n\ndata: y\n")) == [b"data: x\n\n"]
    assert raw(framer.close()) == [b"data: y\n"]


@PATIENT
@given(STREAMS, st.lists(st.tuples(st.integers(0, 5), st.booleans())))
def test_the_parts_of_a_frame_and_its_rest_are_its_bytes(
    stream: bytes, pieces: list[tuple[int, bool]]
) -> None:
    parting, plain = Framer(), Framer()
    found, whole, at = list[Frame](), list[Frame](), 0
    for size, parted in [*pieces, (len(stream), False)]:
        chunk = stream[at : at + size]
        found += parting.feed(chunk)
        whole += plain.feed(chunk)
        found += [part] if parted and (part := parting.part()) is not None else []
        at += size
    assert [each.id for each in found if not each.part] == [each.id for each in whole]
    assert b"".join(raw([*found, *parting.close()])) == stream


def test_the_fields_of_a_block_are_read_as_the_standard_says() -> None:
    fields = fields_of(b"\xef\xbb\xbfid:  7\nevent:x\ndata: a\ndata\ndata:b\nother: y\n: c\n\n")
    assert (fields.id, fields.event, fields.data) == (" 7", "x", "a\n\nb")


def test_a_frame_knows_the_type_of_its_json() -> None:
    assert frame_of(b'data: {"type":"training.failed"}\n\n').ends_the_job
    assert frame_of(b"event: end\ndata: {}\n\n").ends_the_job
    assert frame_of(b'data: {"type": 3}\n\n').type is None
    assert frame_of(b'data: "type"\n\n').type is None
