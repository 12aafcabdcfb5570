"""The README's Python examples, run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mypy import api as mypy

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


def test_examples_have_types(tmp_path: Path) -> None:
    for number, example in enumerate(EXAMPLES):
        (tmp_path / f"example{number}.py").write_text(example)
    told, _, code = mypy.run(
        ["--strict", "--config-file", "", "--cache-dir", str(tmp_path / "cache"), str(tmp_path)]
    )
    assert code == 0, told
