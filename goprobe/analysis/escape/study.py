"""One binary of `goprobe escape` before any run: its code, its sites, its promises.

Read once, however often it is run (`--repeat`), and once for all of a binary that was looked at
before; what a run showed is told by outcome.py.
"""

from __future__ import annotations

import gc
from functools import cached_property
from pathlib import Path

from goprobe.analysis.escape.codecopies import Copies
from goprobe.analysis.escape.observe import WatchPlan
from goprobe.analysis.escape.promisedplaces import PromisedPlaces
from goprobe.analysis.escape.request import EscapeRequest
from goprobe.analysis.escape.sourcefiles import SourceNames
from goprobe.analysis.escape.staticstudy import StaticStudy
from goprobe.analysis.escape.studycache import keep_study, kept_study, study_key
from goprobe.analysis.escape.unpredicted import Unpredicted
from goprobe.binary.pcln.format import GENERATED
from goprobe.errors import telling
from goprobe.model.escape import SourceLine
from goprobe.runtime.image.program import GoProgram
from goprobe.toolchain.escapebuild import EscapeBuild


class EscapeStudy:
    """File names are canonical ones."""

    def __init__(
        self, build: EscapeBuild, program: GoProgram, go_root: Path, request: EscapeRequest
    ) -> None:
        self.build, self.program, self.request = build, program, request
        self.names = SourceNames(build, str(go_root))
        self.say("reading the code")
        with telling(f"the code of {build.program.path}"):
            self.static = self._kept_or_read(study_key(build, program, go_root, request))
        self.copies = Copies(self.static.starts, self.names.canonical, self._own)
        self.places = PromisedPlaces(
            self.names.canonical, [studied.promise for studied in self.static.promises]
        )
        self.unpredicted = Unpredicted(self.names.canonical, self._own)
        self.say("")

    def _kept_or_read(self, key: str) -> StaticStudy:
        kept = kept_study(key, self.program)
        if kept is not None:
            return kept
        # Brings the decoder of instructions along, which nothing needs of a binary that is known.
        from goprobe.analysis.escape.codereader import CodeReader

        reader = CodeReader(self.build, self.program, self.names, self.request)
        gc.disable()  # what is made in it is used to its end
        try:
            study = reader.read()
        finally:
            gc.enable()
        if reader.is_of_the_build:
            keep_study(key, study)
        return study

    def say(self, text: str) -> None:
        if self.request.progress:
            self.request.progress(text)

    def _own(self, file: str) -> bool:
        return self.request.deep or self.names.own(file)

    @cached_property
    def watch(self) -> WatchPlan:
        static = self.static
        return WatchPlan(
            program=self.program,
            plans=static.plans,
            others=static.others,
            by_address=static.by_address,
            watched=static.watched,
            allocator=static.allocator,
            sweeps=static.sweeps,
            rooms=static.starts.rooms,
        )

    @cached_property
    def can_allocate(self) -> frozenset[str]:
        """The functions whose code calls the allocator, of their own or inlined."""
        plans = self.static.plans
        return frozenset(f.function for plan in plans for c in plan.calls for f in c.frames)

    @cached_property
    def in_wrappers(self) -> frozenset[SourceLine]:
        """Where calls stand in code that was inlined into a function without source, of whose
        lines nobody sees whether they run."""
        calls = (*(c for plan in self.static.plans for c in plan.calls), *self.static.may)
        wrapped = (f for c in calls if c.outer.file == GENERATED for f in c.frames)
        return frozenset(SourceLine(f.function, f.file, f.line) for f in wrapped)
