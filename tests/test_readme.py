"""The README's Python examples, run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.go import toolchain

ROOT = Path(__file__).parents[1]
EXAMPLES = re.findall(
    r"<!-- run -->\n```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
)


def test_there_are_examples() -> None:
    assert EXAMPLES


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_runs(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("GOPROBE_GO", str(toolchain()))
    exec(compile(example, "README.md", "exec"), {"__name__": "__main__"})
