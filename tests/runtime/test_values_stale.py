"""Headers of strings and slices whose lengths lead out of memory: a reason in place of a value."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import UNSET

import goprobe
from tests.support.gdb import gdbs
from tests.support.go import build, matrix

PROGRAM = """package main

import (
	"fmt"
	"unsafe"
)

func main() {
	far, wide := "a string", []int64{1, 2, 3}
	whole := make([]byte, 5000)
	*(*int)(unsafe.Add(unsafe.Pointer(&far), 8)) = 1 << 39
	*(*int)(unsafe.Add(unsafe.Pointer(&wide), 16)) = 1 << 40
	fmt.Println(len(far), cap(wide), string(whole) == "")
}
"""


@pytest.mark.parametrize("go", matrix())
def test_a_length_that_leads_out_of_memory_is_none(
    go: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOPROBE_GDB", str(gdbs()[0].path))
    binary = build(PROGRAM, go=go, flags=("-gcflags=all=-N -l",))
    with goprobe.launch(str(binary)) as program:
        stop = next(program.run(breaks=["main.go:13"]))
        far, wide, whole = (stop[name] for name in ("far", "wide", "whole"))
    for variable in (far, wide):
        assert variable.state == "unreadable"
        assert "do not lie in memory to their end" in variable.why
    assert whole.value is not UNSET and whole.value.len == 5000
