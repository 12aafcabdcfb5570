"""The runs of builds, and what each showed."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence

from goprobe.analysis.escape.askedfor import require_known
from goprobe.analysis.escape.outcome import outcome
from goprobe.analysis.escape.pool import Pool
from goprobe.analysis.escape.request import EscapeRequest
from goprobe.analysis.escape.studied import Studied
from goprobe.analysis.escape.study import EscapeStudy
from goprobe.binary.elf.elf import ElfFile
from goprobe.runtime.image.program import GoProgram
from goprobe.toolchain.escapebuild import EscapeBuild
from goprobe.toolchain.find import GoTool


def studied(
    builds: Sequence[EscapeBuild], go: GoTool, request: EscapeRequest
) -> list[list[Studied]]:
    """Of each build what each of its runs showed. The code is read once, and of one build at a
    time: nothing but what is told stays in memory. Benchmarks run one after the other, as under
    `go test` (cmd/go/internal/test, Go 1.21 to 1.27)."""
    go_root, pool = go.path.resolve().parent.parent, Pool(request.cwd)
    runs = 1 if request.static else request.repeat
    told: dict[int, list[Studied]] = {}

    def look(build: EscapeBuild, request: EscapeRequest) -> Iterator[Studied]:
        # What was loaded, and what is told, has no cycles: it is not looked through again.
        gc.freeze()
        program = GoProgram(ElfFile(build.binary, shown_as=build.program.path))
        study = EscapeStudy(build, program, go_root, request)
        if len(builds) == 1:
            require_known(studied.promise for studied in study.static.promises)
        for _ in range(runs):
            yield outcome(study, go_root)
        del study, program
        if len(builds) > 1:
            gc.collect()

    def take(number: int, runs: Iterable[Studied]) -> None:
        pool.begin_package()
        told[number] = list(map(pool.shown, runs))

    try:
        if request.at_once > 1 and len(builds) > 1 and not request.bench:
            from goprobe.analysis.escape.atonce import at_once

            at_once(builds, request, look, take)
        else:
            for number, build in enumerate(builds):
                take(number, look(build, request))
    finally:
        gc.unfreeze()
    return [told[number] for number in range(len(builds))]
