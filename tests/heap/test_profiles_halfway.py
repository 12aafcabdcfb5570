"""Profiles of a program that stands in the middle of writing them, for real, with the lock held."""

from __future__ import annotations

from pathlib import Path

import pytest
from iced_x86 import Mnemonic
from msgspec import UnsetType

from goprobe.analysis.heap.sites import heap_sites
from goprobe.target.live import Target, open_target
from tests.support.cli import goprobe as command
from tests.support.go import build, running
from tests.support.halting import Halting, behind_writes
from tests.support.heap import TESTDATA
from tests.support.siterecords import seen_sites, told_sites
from tests.support.waiting import until

_ROUNDS = 4
_TWICE = "may be counted twice"


def _built(go: str, linker: str = "") -> Path:
    return build(TESTDATA / "sites.go", go=go, flags=[f"-ldflags={linker}"] if linker else [])


def _function(target: Target, *names: str) -> tuple[int, int]:
    lines = target.program.lines
    found = next(each for name in names for each in lines.functions_named(name))
    return found.entry + target.bias, found.end + target.bias


@pytest.mark.parametrize("linker", ["", "-s -w"], ids=["whole", "stripped"])
def test_counts_that_are_being_published_are_right_or_said_to_be_doubtful(
    go: str, linker: str
) -> None:
    """The runtime adds a cycle to what is published of a bucket and then empties it, store by
    store: at each of these places in some buckets the answer is the one that it comes to."""
    seen = []
    with running(
        _built(go, linker), "rounds=40", env={"GODEBUG": "memprofilerate=1024"}
    ) as program:
        program.say("collect")  # what is counted is published by the next but one
        program.read_until("collected")
        target = open_target(program.pid)
        lock = target.root("profMemActiveLock")
        with Halting(program.pid) as halting:
            places = behind_writes(halting.code(*_function(target, "runtime.mProf_FlushLocked")))
            halting.at(places[0])
            program.say("collect")
            until(lambda: halting.word(lock), "the counts are being published")
            for place in places[1:] * _ROUNDS + places[:1]:
                report = heap_sites(target, raw=True, snapshot="stop")
                assert halting.word(lock) and not isinstance(report.sites, UnsetType)
                seen.append((seen_sites(report.sites), report.warnings, report.contradictions))
                halting.at(place)
        program.read_until("collected")
        program.say("tell")
        told = told_sites(program.read_until("told"))
    doubtful = [warnings for _, warnings, _ in seen if warnings]
    assert len(doubtful) < len(seen) / 2 and all(_TWICE in "".join(each) for each in doubtful)
    for sites, warnings, contradictions in seen:
        others = {
            stack for stack in told.keys() | sites.keys() if told.get(stack) != sites.get(stack)
        }
        assert len(others) <= len(warnings) and not contradictions
        assert all(told[stack][2:] == sites[stack][2:] for stack in others)  # what is in use


def test_a_wait_that_is_being_noted_is_said(go: str) -> None:
    with running(_built(go), "rounds=1") as program:
        target = open_target(program.pid)
        lock = target.root("profBlockLock")
        low, high = _function(target, "runtime.saveBlockEventStack", "runtime.saveblockevent")
        with Halting(program.pid) as halting:
            code = halting.code(low, high)
            stores = [i for i, ins in enumerate(code[:-1]) if ins.mnemonic == Mnemonic.MOVSD]
            halting.at(code[stores[-1] + 1].ip)  # it has counted, and not added the time
            program.say("contend")
            until(lambda: halting.word(lock), "a wait is being noted")
            amid = command("goroutines", str(program.pid), "--contention", "--json")
            assert amid.code == 0, amid.err
            halting.let_go()
            until(lambda: not halting.word(lock), "it is noted")
        after = command("goroutines", str(program.pid), "--contention", "--json").json
    assert "middle of noting a wait" in str(amid.json["contention"]["why"])
    assert "middle of noting" not in str(after["contention"].get("why"))
