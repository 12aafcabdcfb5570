"""The Python examples of README and tutorial, run; and the reference is that of the code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mypy import api as mypy

from scripts.lib import jsonreference, reference, wordsreference
from tests.support.go import toolchain

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "docs/tutorial.md")


def blocks(document: str, mark: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"<!-- {mark} -->\n```python\n(.*?)```", text, re.DOTALL)


EXAMPLES = [
    pytest.param(example, id=f"{document}-{number}")
    for document in DOCUMENTS
    for number, example in enumerate(blocks(document, "run"))
]


def test_there_are_examples() -> None:
    assert all(blocks(document, "run") for document in DOCUMENTS)


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_runs(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("GOPROBE_GO", str(toolchain()))
    exec(compile(example, "example", "exec"), {"__name__": "__main__"})


def test_examples_have_types(tmp_path: Path) -> None:
    examples = [example for document in DOCUMENTS for example in blocks(document, "run")]
    for number, example in enumerate(examples):
        (tmp_path / f"example{number}.py").write_text(example)
    told, _, code = mypy.run(
        ["--strict", "--config-file", "", "--cache-dir", str(tmp_path / "cache"), str(tmp_path)]
    )
    assert code == 0, told


def test_the_tutorials_tests_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = blocks("docs/tutorial.md", "run: pytest")
    (tmp_path / "test_shop.py").write_text(example)
    monkeypatch.setenv("GOPROBE_GO", str(toolchain()))
    told = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            tmp_path,
            "-c",
            os.devnull,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.returncode == 0, told.stdout
    assert "2 passed" in told.stdout


def test_the_reference_is_that_of_the_code() -> None:
    assert reference.FILE.read_text(encoding="utf-8") == reference.document(), (
        "run scripts/make-reference"
    )


def test_the_words_are_those_of_the_help() -> None:
    assert wordsreference.FILE.read_text(encoding="utf-8") == wordsreference.document(), (
        "run scripts/make-reference"
    )


def test_the_json_reference_is_that_of_the_schemas() -> None:
    assert jsonreference.FILE.read_text(encoding="utf-8") == jsonreference.document(), (
        "run scripts/make-schemas"
    )
