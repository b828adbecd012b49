"""Frames: what the host sends and what it takes for a reply."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpga.frames import (
    Kind,
    Register,
    Reply,
    Status,
    parse_reply,
    reply_size,
    request,
)
from fpga.host import Host


def reply(status: int, sequence: int, data: bytes = b"", count: int = 1) -> bytes:
    """Return a reply as the description says, written down once more."""
    body = bytes([status, sequence, count - 1]) + data
    return b"\x5a" + body + zlib.crc32(body).to_bytes(4, "little")


def test_a_request_byte_by_byte() -> None:
    frame = request(Kind.WRITE, 7, 0x01000203, 1, b"\x11\x22\x33\x44")
    body = b"\x01\x07\x00\x03\x02\x00\x01\x11\x22\x33\x44"
    assert frame == b"\xa5" + body + zlib.crc32(body).to_bytes(4, "little")


@given(st.binary(min_size=4, max_size=4), st.integers(0, 255))
def test_replies_are_read(data: bytes, sequence: int) -> None:
    frame = reply(Status.DATA, sequence, data)
    assert reply_size(frame[:4]) == len(frame)
    assert parse_reply(frame) == Reply(Status.DATA, sequence, data)


@given(st.integers(0, 11), st.integers(1, 255))
def test_a_damaged_reply_is_none(at: int, flip: int) -> None:
    frame = bytearray(reply(Status.DONE, 3, b"\x01\x02\x03\x04"))
    frame[at] ^= flip
    assert parse_reply(bytes(frame)) is None


@pytest.mark.parametrize("status", [Status.DONE, Status.DAMAGED, Status.REFUSED])
def test_replies_without_data(status: Status) -> None:
    frame = reply(status, 9, count=5)
    assert reply_size(frame[:4]) == len(frame) == 8


class Answers:
    """A line whose other end answers each request with the next of some byte strings."""

    def __init__(self, *answers: bytes) -> None:
        self.asked: list[bytes] = []
        self._answers = list(answers)
        self._waiting = b""

    def write(self, data: bytes) -> None:
        self.asked.append(data)
        self._waiting += self._answers.pop(0) if self._answers else b""

    def read(self, count: int, seconds: float) -> bytes:
        found, self._waiting = self._waiting[:count], self._waiting[count:]
        return found

    def close(self) -> None:
        pass


GOOD = b"\x05\x00\x00\x00"


@pytest.mark.parametrize(
    "first",
    [
        b"",  # lost
        reply(Status.DATA, 1, GOOD)[:-1],  # cut
        reply(Status.DATA, 1, GOOD)[:3],
        reply(Status.DATA, 1, b"\x07\x00\x00\x00")[:-4] + b"\0\0\0\0",  # damaged
        reply(Status.DAMAGED, 77),  # the request was damaged
        reply(Status.DATA, 0, b"\x07\x00\x00\x00"),  # that of an earlier request
        reply(Status.DONE, 1),  # of the same number, to a write of another host
        reply(Status.DATA, 1, GOOD * 2, 2),  # to its read of more
        b"\x00" * 40,
    ],
)
def test_whatever_is_wrong_is_asked_again(first: bytes) -> None:
    line = Answers(first, reply(Status.DATA, 1, GOOD))
    host = Host(line, sequence=0)
    assert host.register(Register.CYCLES) == 5
    assert host.retries == 1
    assert [asked[1:2] + asked[3:-4] for asked in line.asked] == [b"\x02\x00\x07\0\0\0"] * 2


def test_a_late_reply_to_an_earlier_request_is_passed_over() -> None:
    late = reply(Status.DATA, 0, b"\x07\x00\x00\x00" * 3, count=3)
    host = Host(Answers(late + reply(Status.DATA, 1, GOOD)), sequence=0)
    assert (host.register(Register.CYCLES), host.retries) == (5, 0)


def test_a_silent_board_is_given_up() -> None:
    with pytest.raises(OSError, match="board must answer, got nothing good in 3 attempts"):
        Host(Answers(), attempts=3).register(0)


def test_addresses_that_are_not_there() -> None:
    with pytest.raises(ValueError, match="address must be there on the board, got 0x1000007"):
        Host(Answers(reply(Status.REFUSED, 1)), sequence=0).read(7, 1)


@pytest.mark.parametrize(
    ("registers", "line"),
    [
        ((0, 1, 5, 0), "board must have a bitstream of ours, got one that says"),
        ((0x4D534C50, 9, 5, 0), "board must speak version 1, got 9"),
        (
            (0x4D534C50, 1, 6, 1),
            "board must have the bitstream of design 0000000000000005, got 0000000100000006",
        ),
    ],
)
def test_identity(registers: tuple[int, ...], line: str) -> None:
    data = b"".join(value.to_bytes(4, "little") for value in registers)
    with pytest.raises(ValueError, match=line):
        Host(Answers(reply(Status.DATA, 1, data, 4)), sequence=0).identify(5)
