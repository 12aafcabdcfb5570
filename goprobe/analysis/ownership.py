"""Whose code a function is: the user's own, a dependency's or the standard library's."""

from __future__ import annotations

from functools import lru_cache

from goprobe.runtime.program import Program


@lru_cache(maxsize=64)
def _goroot(program: Program) -> str:
    """The folder of the Go that built the binary, with its slash; "" under -trimpath."""
    function = program.lines.function_named("runtime.main")
    file = function.file if function else ""
    root, found, _ = file.rpartition("src/runtime/")
    return root if found and root.startswith("/") else ""


def package_of(function: str) -> str:
    """The import path in a function's name: "encoding/json" of "encoding/json.Marshal"."""
    head, slash, tail = function.partition("[")[0].rpartition("/")
    return head + slash + tail.partition(".")[0]


def is_own_code(program: Program, function: str, file: str) -> bool:
    """Whether a function belongs to the program's own module."""
    package = package_of(function)
    root = _goroot(program)
    if root and file.startswith(root):
        return False
    if package == "main" or file.startswith("./"):
        return True
    module = program.info.module
    if module:
        return package == module or package.startswith(f"{module}/")
    if "/pkg/mod/" in file:
        return False
    return bool(root) or "." in package.partition("/")[0]
