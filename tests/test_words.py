"""Names that say nothing: what is found is called by what it is."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1] / "goprobe"


def test_what_is_found_is_called_by_what_it_is() -> None:
    files = list(ROOT.rglob("*.py"))
    assert files
    bound = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Name) and node.id == "found" and isinstance(node.ctx, ast.Store))
        or (isinstance(node, ast.arg) and node.arg == "found")
    ]
    assert not bound
