"""Stacks full of anything: the walk ends, says why, and never fails otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from hypothesis import given, settings, strategies as st

from goprobe.binary.elf.elf import ElfFile
from goprobe.binary.pcln.find import open_line_table
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Buffer
from goprobe.runtime.image.code import Code
from goprobe.runtime.stacks.unwind import Start, unwind
from tests.runtime.stackprograms import PARKED
from tests.support.go import build

LOW, WORDS = 0xC000100000, 512
HIGH = LOW + 8 * WORDS


class Words:
    """A stack of given words at LOW, and nothing else."""

    def __init__(self, words: Sequence[int]) -> None:
        self._data = b"".join(w.to_bytes(8, "little") for w in words)

    def read(self, address: int, size: int) -> bytes:
        at = address - LOW
        if at < 0 or size < 0 or at + size > len(self._data):
            raise UnreadableError(address, size)
        return self._data[at : at + size]

    def read_many(self, ranges: object) -> list[bytes | None]:
        raise NotImplementedError

    def read_into(self, address: int, buffer: Buffer) -> None:
        raise NotImplementedError


@cache
def code() -> tuple[Code, tuple[int, ...]]:
    table = open_line_table(ElfFile(build(PARKED)))
    special = [
        "systemstack",
        "morestack",
        "mcall",
        "sigpanic",
        "sigtramp",
        "asyncPreempt",
        "gogo",
        "cgocallback",
        "goexit",
        "mstart",
        "systemstack_switch",
        "sigreturn__sigaction",
        "asmcgocall",
        "rt0_go",
        "nanotime1",
    ]
    functions = [table.function_named(f"runtime.{name}") for name in special]
    functions += list(table.functions())[:: len(table) // 200]
    return Code(table), tuple(f.entry + n for f in functions if f for n in (0, 1, 9, 40))


pcs = st.deferred(lambda: st.sampled_from(code()[1]))
addresses = st.integers(0, WORDS).map(lambda i: LOW + 8 * i)
word = st.one_of(pcs, addresses, st.integers(0, 2**64 - 1), st.just(0))
starts = st.builds(
    Start, pc=st.one_of(pcs, word), sp=st.one_of(addresses, word), bp=word,
    low=st.sampled_from([0, LOW]), high=st.sampled_from([0, HIGH]), exact=st.booleans(),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(word, max_size=60), starts, st.none() | starts, st.none() | starts)
def test_any_stack_is_walked_to_an_end(
    words: list[int], start: Start, user: Start | None, vdso: Start | None
) -> None:
    memory = Words((words * WORDS)[:WORDS] or [0] * WORDS)
    unwound = unwind(memory, code()[0], start, user=user, vdso=vdso, limit=2000)
    assert unwound.why
    assert len(unwound.frames) <= 2000
    for frame in unwound.frames:
        assert frame.cfa >= frame.sp
    if unwound.complete:
        assert unwound.frames and not any(f.guessed for f in unwound.frames)


def test_a_stack_of_nothing_but_returns_is_cut_at_the_limit() -> None:
    known, _ = code()
    leaf = next(
        pc
        for pc in code()[1]
        if (spot := known.spot(pc))
        and spot.size == 0
        and not spot.function.top_frame
        and not spot.function.writes_sp
    )
    memory = Words([leaf] * WORDS)
    start = Start(leaf, LOW, 0, LOW, HIGH, exact=False)
    unwound = unwind(memory, known, start, limit=100)
    assert len(unwound.frames) == 100 and "first 100 frames" in unwound.why
    assert not unwound.complete
    whole = unwind(memory, known, start)
    assert len(whole.frames) == WORDS + 1 and not whole.complete


def test_a_walk_never_goes_down_again() -> None:
    known, pcs_ = code()
    frame = next(pc for pc in pcs_ if (spot := known.spot(pc)) and spot.size > 8)
    for pc in pcs_:
        unwound = unwind(Words([frame] * WORDS), known, Start(pc, LOW, LOW, LOW, HIGH))
        sps = [f.sp for f in unwound.frames if not f.stack]
        assert sps == sorted(sps)
