"""Work shared out among processes: all of it is done, and what one did not live to do is left."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from goprobe.process.crew import share_out


def _shared(count: int, work: Callable[[int], bytes], most: int = 2) -> dict[int, bytes]:
    made: dict[int, bytes] = {}
    assert not share_out(count, work, made.__setitem__, most)
    return made


@pytest.mark.parametrize("most", [1, 2, 7])
@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_each_piece_is_done_once(count: int, most: int) -> None:
    made = _shared(count, lambda number: b"%d of %d" % (number, os.getpid()), most)
    assert {number: text.split()[0] for number, text in made.items()} == {
        number: b"%d" % number for number in range(count)
    }
    workers = {text.split()[-1] for text in made.values()}
    assert b"%d" % os.getpid() not in workers and len(workers) <= most


@pytest.mark.parametrize("apart", [(), (3,), (1, 4, 6), range(8)])
def test_what_is_apart_is_first_and_never_two_at_once(apart: Sequence[int]) -> None:
    def work(number: int) -> bytes:
        began = time.monotonic()
        time.sleep(0.02)
        return b"%r %r" % (began, time.monotonic())

    made: dict[int, bytes] = {}
    assert not share_out(8, work, made.__setitem__, 3, apart=apart)
    assert set(made) == set(range(8))
    times = sorted(tuple(map(float, made[number].split())) for number in apart)
    assert all(one[1] <= other[0] for one, other in pairwise(times))


def test_what_is_made_may_be_large_or_nothing() -> None:
    sizes = (0, 1, 70_000, 3_000_000, 0, 5)
    made = _shared(len(sizes), lambda number: bytes([number]) * sizes[number])
    assert made == {number: bytes([number]) * size for number, size in enumerate(sizes)}


def test_what_raises_is_left_and_the_others_do_the_rest() -> None:
    def work(number: int) -> bytes:
        if number == 1:
            raise ValueError("not this one")
        time.sleep(0.02)
        return b"done"

    assert _shared(8, work) == {n: b"done" for n in range(8) if n != 1}


def test_who_is_killed_leaves_the_rest_to_the_others() -> None:
    def work(number: int) -> bytes:
        if number == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.02)
        return b"done"

    assert _shared(8, work) == dict.fromkeys(range(1, 8), b"done")


def test_nobody_is_left_where_the_end_is_not_awaited(tmp_path: Path) -> None:
    def work(number: int) -> bytes:
        (tmp_path / f"{os.getpid()}").touch()
        if number:
            time.sleep(60)
        return b""

    def take(_number: int, _made: bytes) -> None:
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        share_out(2, work, take, 2)
    for worker in tmp_path.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(worker.name), 0)


def test_an_interrupt_goes_to_all(tmp_path: Path) -> None:
    def work(number: int) -> bytes:
        try:
            (tmp_path / f"{number}").touch()
            time.sleep(60)
        except KeyboardInterrupt:
            return b"interrupted"
        return b"slept"

    def interrupt() -> None:
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.01)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    made: dict[int, bytes] = {}
    with suppress(KeyboardInterrupt):
        thread = threading.Timer(0, interrupt)
        thread.start()
        assert share_out(2, work, made.__setitem__, 2)
    thread.join()
    assert made == {0: b"interrupted", 1: b"interrupted"}


def test_who_has_grown_hands_over_to_another() -> None:
    grown: list[bytes] = []

    def work(number: int) -> bytes:
        if number % 2:
            grown.append(os.urandom(100 << 20))
        return b"%d" % os.getpid()

    made = _shared(6, work)
    assert set(made) == set(range(6))
    workers = [made[number] for number in (1, 3, 5)]
    assert len(set(workers)) == 3 and not grown
