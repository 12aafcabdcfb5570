"""The packages that a source uses, found by the names that it qualifies."""

from __future__ import annotations

import re

_PACKAGES = {
    name.rpartition("/")[2]: name
    for name in (
        "bytes", "container/list", "container/ring", "context", "errors", "fmt", "io", "os",
        "reflect", "runtime", "sort", "strings", "sync", "sync/atomic", "syscall", "time",
        "unique", "unsafe", "weak",
    )
}  # fmt: skip
_QUALIFIED = re.compile(r"(?<![\w.])([a-z]+)\.(?=[A-Z])")
_TEXT = re.compile(r'"[^"]*"')


def importing(source: str) -> str:
    """A file of package main with such declarations."""
    used = set(_QUALIFIED.findall(_TEXT.sub("", source))) & set(_PACKAGES)
    imports = "".join(f'\t"{_PACKAGES[name]}"\n' for name in sorted(used))
    return f"package main\n\nimport (\n{imports})\n\n{source}"
