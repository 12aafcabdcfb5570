"""Programs that allocate at many stacks, for `heap --sites`: every stack and every count is held
against the program's own runtime.MemProfile, taken in the same standstill; where each allocation
is sampled, what is in use against the census."""

from __future__ import annotations

from collections.abc import Iterator

from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.analysis.heapasked import heap_asked
from goprobe.model.heap import HeapReport
from goprobe.target.live import open_target
from scripts.truths.answer import Answer, Peers, contradictions, equal, not_told, right, wrong
from scripts.truths.choices import Choices
from scripts.truths.kind import PIE, PLAIN, STRIPPED, UNOPTIMIZED, Build, Case, Program
from scripts.truths.sites.writing import Writer
from tests.support.go import running
from tests.support.siterecords import Counts, Stack, seen_sites, told_sites

_PATIENCE = 60.0
_BEFORE = 60  # objects that are allocated before the runtime has read GODEBUG, and to sample by


class Sites:
    name = "sites"
    builds = (PLAIN, UNOPTIMIZED, PIE, STRIPPED)

    def write(self, choices: Choices, go: str, build: Build) -> Program:
        return Writer(choices).program()

    def ask(self, case: Case) -> Iterator[Answer]:
        rate = case.program.notes["rate"]
        try:
            environment = {"GODEBUG": f"memprofilerate={rate}"}
            with running(case.binary, timeout=_PATIENCE, env=environment) as program:
                target = open_target(program.pid)
                report = heap_asked(target, HeapQuestions(sites=True, raw=True))
                held = heap_asked(target, HeapQuestions(sites=True, types=True, retained=True))
                program.say("tell")
                told = told_sites(program.read_until("told", _PATIENCE))
        except AssertionError as error:  # the program itself has failed
            yield wrong("the program runs", truth="it does", told=str(error))
            return
        for each in (report, held):
            yield from contradictions(each.audit)
        yield from compared(told, seen_sites(report.sites or ()))
        yield from _sampled(report)
        if rate == 1:
            yield from _all(report, held)

    def peers(self, case: Case) -> Peers:
        return {}


def compared(truth: dict[Stack, Counts], told: dict[Stack, Counts]) -> Iterator[Answer]:
    """Objects and bytes allocated and in use, of each stack."""
    for stack in truth.keys() | told.keys():
        shown = " < ".join(f"{function}:{line}" for function, _, line in stack[:6])
        yield equal(shown, truth.get(stack, "no such stack"), told.get(stack, "no such stack"))


def _sampled(report: HeapReport) -> Iterator[Answer]:
    if not report.sampling:
        yield not_told("sampling", "nothing was told")
        return
    yield equal("sampled objects are those in use", report.sampling.now_objects,
                report.sampling.sampled_objects)  # fmt: skip


def _all(report: HeapReport, held: HeapReport) -> Iterator[Answer]:
    """Of a program in which each allocation is sampled."""
    assert report.sampling
    missing = report.census.objects - report.sampling.now_objects
    if 0 <= missing < _BEFORE:
        yield right("the census")
    else:
        told = f"{report.sampling.now_objects}"
        yield wrong("the census", truth=str(report.census.objects), told=told)
    for site in held.sites or ():
        typed = sum(each.objects for each in site.types.values())
        frames = " < ".join(frame.function for frame in site.stack[:4])
        yield equal(f"types of {frames}", site.now_objects, typed)
        holders = sum(each.objects for each in site.holders or ())
        if len(site.holders or ()) < 10:
            yield equal(f"holders of {frames}", site.sampled_objects, holders)


KIND = Sites()
