"""What a launched program reads and writes: descriptors, bytes, or Python's own open files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, cast

import pytest

import goprobe
from goprobe.errors import UsageError
from tests.support.go import build

_ECHO = """
package main

import (
	"io"
	"os"
)

func main() { io.Copy(os.Stdout, os.Stdin) }
"""


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> str:
    source = tmp_path_factory.mktemp("echo") / "main.go"
    source.write_text(_ECHO)
    return str(build(source))


def test_open_files_are_streams(echo: str, tmp_path: Path) -> None:
    told, asked = tmp_path / "out", tmp_path / "in"
    asked.write_text("said")
    with (
        told.open("w") as out,
        asked.open() as given,
        goprobe.launch(echo, stdout=out, stdin=given) as program,
    ):
        for _ in program.run():
            pass
    assert told.read_text() == "said"


@pytest.mark.parametrize("stream", ["a name", io.StringIO(), None])
def test_what_is_no_stream_is_said(echo: str, stream: object) -> None:
    with pytest.raises(UsageError, match="stdout is a descriptor or an open file, not"):
        goprobe.launch(echo, stdout=cast(Any, stream))
    with pytest.raises(UsageError, match="stdin"):
        goprobe.launch(echo, stdin=cast(Any, stream))


def test_leaks_are_asked_of_a_process_too() -> None:
    with pytest.raises(goprobe.GoprobeError):
        goprobe.assert_no_leaks(1 << 30)
