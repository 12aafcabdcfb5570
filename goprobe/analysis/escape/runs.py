"""The runs of builds, and what each showed."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence

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
) -> Iterator[list[Studied]]:
    """Of each build what each of its runs showed. The code is read once, and of one build at a
    time: nothing but what is told stays in memory."""
    go_root, pool = go.path.resolve().parent.parent, Pool(request.cwd)
    runs = 1 if request.static else request.repeat
    try:
        for number, build in enumerate(builds, 1):
            # What was loaded, and what is told, has no cycles: it is not looked through again.
            gc.freeze()
            pool.begin_package()
            program = GoProgram(ElfFile(build.binary, shown_as=build.program.path))
            study = EscapeStudy(build, program, go_root, request)
            yield [pool.shown(outcome(study, go_root)) for _ in range(runs)]
            del study, program
            if number < len(builds):
                gc.collect()
    finally:
        gc.unfreeze()
