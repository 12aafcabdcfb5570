"""Targets under seccomp: a filter that allows a fork is no obstacle; none is put to the test."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from goprobe.process.fork.plan import NoForkError, plan_fork
from goprobe.process.fork.snapshot import forked
from goprobe.process.ptrace.stop import stopped
from goprobe.process.rights.seccomp import BadFilterError, run
from tests.process.targets import PROGRAMS, assert_free
from tests.process.test_fork import why_not
from tests.support.go import build

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root is shown others' filters")

Instruction = tuple[int, int, int, int]
NUMBER, ARCH, FLAGS = 0, 4, 16
ALLOW, ERRNO, KILL, LOG = 0x7FFF0000, 0x00050001, 0x80000000, 0x7FFC0000
CLONE, EXIT_GROUP, WAIT4 = 56, 231, 61


def load(at: int) -> Instruction:
    return (0x20, 0, 0, at)


def equal(k: int, yes: int, no: int) -> Instruction:
    return (0x15, yes, no, k)


def give(k: int) -> Instruction:
    return (0x06, 0, 0, k)


def but(number: int, action: int) -> list[Instruction]:
    return [load(NUMBER), equal(number, 0, 1), give(action), give(ALLOW)]


def flagged(flags: int, action: int) -> list[Instruction]:
    """It is a clone with these very flags that is not allowed."""
    return [
        load(NUMBER),
        equal(CLONE, 0, 3),
        load(FLAGS),
        equal(flags, 0, 1),
        give(action),
        give(ALLOW),
    ]


# As container runtimes have it: another architecture is killed, clone may make no namespaces.
CONTAINER = [
    load(ARCH), equal(0xC000003E, 1, 0), give(KILL),
    load(NUMBER), equal(CLONE, 0, 4),
    load(FLAGS), (0x54, 0, 0, 0x7E020000), equal(0, 1, 0), give(ERRNO),
    give(ALLOW),
]  # fmt: skip


def packed(code: list[Instruction]) -> bytes:
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


ENTER = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None)
libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
for text in sys.argv[2:]:
    filter = ctypes.create_string_buffer(bytes.fromhex(text))
    program = struct.pack("<H6xQ", (len(filter) - 1) // 8, ctypes.addressof(filter))
    assert libc.prctl(22, 2, program, 0, 0) == 0  # PR_SET_SECCOMP
os.execv(sys.argv[1], sys.argv[1:2])
"""


@contextmanager
def filtered(*filters: list[Instruction]) -> Iterator[int]:
    texts = [packed(code).hex() for code in filters]
    with subprocess.Popen(
        [sys.executable, "-c", ENTER, build(PROGRAMS / "memory.go"), *texts],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout and process.stdout.readline()
            yield process.pid
            assert process.poll() is None
            assert_free(process.pid)
        finally:
            process.kill()


@root
@pytest.mark.parametrize(
    "filters",
    [[CONTAINER], [[give(ALLOW)]], [[give(LOG)]], [CONTAINER, but(999, KILL)]],
    ids=["container", "allow", "log", "two"],
)
def test_a_filter_that_allows_it(filters: list[list[Instruction]]) -> None:
    with filtered(*filters) as pid:
        plan = plan_fork(pid)
        for _ in range(3):
            with stopped(pid) as process, forked(process, plan) as snapshot:
                assert snapshot.memory.read(process.threads[pid].sp, 8)


@root
@pytest.mark.parametrize(
    ("code", "name"),
    [
        (but(WAIT4, ERRNO), "wait4"),
        (but(EXIT_GROUP, LOG - 1), "exit_group"),
        (flagged(0x400, ERRNO), "clone"),
        (flagged(0x500, 0x7FF00000), "clone"),
    ],
)
def test_a_filter_that_forbids_it(code: list[Instruction], name: str) -> None:
    """In whichever of two filters."""
    for filters in ([code], [code, [give(ALLOW)]], [CONTAINER, code]):
        with filtered(*filters) as pid:
            plan = plan_fork(pid)
            with stopped(pid) as process:
                with (
                    pytest.raises(NoForkError, match=f"seccomp filter forbids {name}$"),
                    forked(process, plan),
                ):
                    pass
                assert not process.released


def test_without_the_right_to_look_no_fork_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with filtered([give(ALLOW)]) as pid:
        plain = plan_fork
        from goprobe.process.fork import plan
        from goprobe.process.rights.privileges import Privileges

        nobody = Privileges(root=False, yama=None, may_trace_all=False, seccomp=False)
        monkeypatch.setattr(plan, "read_privileges", lambda: nobody)
        assert plain is plan.plan_fork
        assert "CAP_SYS_ADMIN" in why_not(pid)


def data_of(number: int, *arguments: int) -> bytes:
    return struct.pack("<IIQ6Q", number, 0xC000003E, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])


def test_filters_are_followed_as_the_kernel_does() -> None:
    assert run(packed(CONTAINER), data_of(CLONE, 0x500)) == ALLOW
    assert run(packed(CONTAINER), data_of(CLONE, 0x10000000)) == ERRNO
    assert run(packed(CONTAINER), data_of(1)) == ALLOW
    # a = 7; M[3] = a; x = M[3]; a = (a << 2) - x; a >= 21 ? allow : kill
    sums = [
        (0x00, 0, 0, 7),
        (0x02, 0, 0, 3),
        (0x61, 0, 0, 3),
        (0x64, 0, 0, 2),
        (0x1C, 0, 0, 0),
        (0x35, 0, 1, 21),
        give(ALLOW),
        give(KILL),
    ]
    assert run(packed(sums), data_of(0)) == ALLOW
    sums[5] = (0x35, 0, 1, 22)
    assert run(packed(sums), data_of(0)) == KILL
    # tax, txa, neg, ja, ret a; the length of the data
    others = [
        (0x80, 0, 0, 0),
        (0x07, 0, 0, 0),
        (0x84, 0, 0, 0),
        (0x87, 0, 0, 0),
        (0x05, 0, 0, 1),
        give(KILL),
        (0x16, 0, 0, 0),
    ]
    assert run(packed(others), data_of(0)) == 64


def test_nonsense_ends() -> None:
    chance = random.Random(3)
    for _ in range(3000):
        size = chance.randrange(1, 20)
        code = bytes(chance.randrange(256) for _ in range(8 * size))
        try:
            assert 0 <= run(code, data_of(CLONE, 1)) < 1 << 32
        except BadFilterError:
            continue
