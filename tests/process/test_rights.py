"""What goprobe may do as another user than the target's, and what it says where it may not."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

import pytest

from goprobe.analysis.locate.maps import maps
from goprobe.analysis.locate.where import where
from goprobe.errors import GoprobeError
from goprobe.process.fork.plan import NoForkError, plan_fork
from goprobe.process.libc import libc
from goprobe.process.proc.identity import identify
from goprobe.target.live import open_target
from tests.process.targets import assert_free, assert_healthy, target

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

SOMEBODY = 61234
DAC_READ_SEARCH, KILL, SYS_PTRACE = 2, 5, 19
_KEEPCAPS, _VERSION3 = 8, 0x20080522
_set = libc["capset"]


def somebody_says(question: Callable[[], str], *capabilities: int) -> str:
    """What a process of ours says that is somebody else's and has these capabilities only."""
    out, into = os.pipe()
    pid = os.fork()
    if not pid:
        said = "it did not come so far"
        try:
            libc["prctl"](_KEEPCAPS, 1, 0, 0, 0)
            os.setgroups([])
            os.setresgid(SOMEBODY, SOMEBODY, SOMEBODY)
            os.setresuid(SOMEBODY, SOMEBODY, SOMEBODY)
            mask = sum(1 << number for number in capabilities)
            header = struct.pack("<Ii", _VERSION3, 0)
            assert _set(header, struct.pack("<6I", mask, mask, 0, mask >> 32, mask >> 32, 0)) == 0
            said = question()
        except GoprobeError as error:
            said = error.message
        except BaseException as error:
            said = repr(error)
        finally:
            os.write(into, said.encode())
            os._exit(0)
    os.close(into)
    with open(out) as file:
        said = file.read()
    os.waitpid(pid, 0)
    return said


def test_of_another_user() -> None:
    with target("heart") as program:
        pid = program.pid
        opened = open_target(pid)
        maps(opened), where(opened, (0x10,))  # all that is imported is, by now

        def attach() -> str:
            identify(pid)
            return f"{maps(opened).pid} {where(opened, (0x10,)).pid}"

        def fork() -> str:
            try:
                plan_fork(pid)
            except NoForkError as error:
                return error.why
            return "can be forked"

        assert "it belongs to root, goprobe runs as user 61234" in somebody_says(attach)
        assert "take CAP_DAC_READ_SEARCH" in somebody_says(attach, SYS_PTRACE)
        both = SYS_PTRACE, DAC_READ_SEARCH
        assert somebody_says(attach, *both) == f"{pid} {pid}"
        assert "takes CAP_KILL" in somebody_says(fork, *both)
        assert somebody_says(fork, *both, KILL) == "can be forked"
        assert_free(pid)
        assert_healthy(program)
