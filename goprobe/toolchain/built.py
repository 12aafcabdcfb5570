"""An executable to look at, and whether a target is one already.

Apart from build.py, which brings along all that building takes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from goprobe.elfheaders import is_elf
from goprobe.errors import UsageError
from goprobe.files import open_regular

if TYPE_CHECKING:
    from goprobe.toolchain.find import GoTool


class Built(msgspec.Struct, frozen=True):
    """An executable and how it came to be.

    For a compiled target nothing was built: `command` is empty and so are `gcflags` and `package`.
    `directory` is the folder of the package's source, or of the executable.
    """

    binary: Path
    command: tuple[str, ...]
    gcflags: str
    directory: Path
    package: str


def is_executable_file(target: str) -> bool:
    """Whether TARGET is an ELF file already, so that no Go is needed."""
    try:
        file = open_regular(target)
    except UsageError:
        return False
    try:
        return is_elf(os.read(file, 4))
    except OSError:
        return False
    finally:
        os.close(file)


def prebuilt(target: str) -> Built:
    """The Built of a compiled target."""
    path = Path(target).absolute()
    return Built(path, (), "", path.parent, "")


def made_of(
    target: str,
    go: str | None,
    *,
    optimized: bool = False,
    flags: Sequence[str] = (),
    progress: Callable[[str], None] | None = None,
) -> tuple[GoTool | None, Built]:
    """The executable of a target, and the Go that built it: None where it is one already, which
    needs none of what building takes. Raises as find_go and build do, and UsageError where there
    are flags for what is built already."""
    if is_executable_file(target):
        if flags:
            raise UsageError(
                f"{target} is built already: flags are for a program that is to be built"
            )
        return None, prebuilt(target)
    from goprobe.toolchain.build import build
    from goprobe.toolchain.find import find_go

    tool = find_go(go or None)
    return tool, build(target, tool, optimized=optimized, flags=flags, progress=progress)
