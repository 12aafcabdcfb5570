"""Whose code a function is: the user's own, a dependency's or the standard library's."""

from __future__ import annotations

from functools import lru_cache

from goprobe.binary.pcln.format import GENERATED
from goprobe.errors import UnreadableError
from goprobe.runtime.image.program import GoProgram


@lru_cache(maxsize=64)
def _goroot(program: GoProgram) -> str:
    """The folder of the Go that built the binary, with its slash; "" under -trimpath, and where the
    line table cannot be read."""
    function = program.lines.function_named("runtime.main")
    try:
        file = function.file if function else ""
    except UnreadableError:
        return ""
    root, separator, _ = file.rpartition("src/runtime/")
    return root if separator and root.startswith("/") else ""


def package_of(function: str) -> str:
    """The import path in a function's name: "encoding/json" of "encoding/json.Marshal"."""
    head, slash, tail = function.partition("[")[0].rpartition("/")
    return head + slash + tail.partition(".")[0]


def is_own_code(program: GoProgram, function: str, file: str) -> bool:
    """Whether a function belongs to the program's own module."""
    package = package_of(function)
    root = _goroot(program)
    if file == GENERATED or (root and file.startswith(root)):
        return False
    if package == "main" or file.startswith("./"):
        return True
    module = program.info.module
    if module:
        return package == module or package.startswith(f"{module}/")
    if "/pkg/mod/" in file:
        return False
    return bool(root) or "." in package.partition("/")[0]
