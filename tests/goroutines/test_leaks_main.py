"""The main goroutine waits for ever where a program is to stay: whatever it waits for, that is no
leak; what is leaked besides is."""

from __future__ import annotations

import pytest
from msgspec import UNSET

import goprobe
from goprobe.analysis.waits.waits import leaked
from goprobe.target.live import open_target
from tests.support.cli import goprobe as command
from tests.support.go import build, matrix, running

_SOURCE = """package main

import (
	"fmt"
	"os"
	"sync"
	"time"
)

var kept [][]byte

//go:noinline
func lose() {
	never := make(chan int)
	go func() { never <- 1 }()
}

func main() {
	if len(os.Args) > 2 {
		lose()
	}
	go func() {
		for {
			time.Sleep(time.Second)
		}
	}()
	time.Sleep(50 * time.Millisecond)
	fmt.Println("ready")
	switch os.Args[1] {
	case "channel":
		<-make(chan struct{})
	case "nil":
		var never chan struct{}
		<-never
	case "group":
		var group sync.WaitGroup
		group.Add(1)
		group.Wait()
	case "select":
		select {}
	}
}
"""


@pytest.mark.parametrize("more", [(), ("more",)], ids=["alone", "with a leak"])
@pytest.mark.parametrize("how", ["channel", "nil", "group", "select"])
@pytest.mark.parametrize("go", matrix())
def test_it_is_no_leak(go: str, how: str, more: tuple[str, ...]) -> None:
    with running(build(_SOURCE, go=go), how, *more, ready="ready") as program:
        report = leaked(open_target(program.pid))
        assert report.leaks is not UNSET and report.leaks.main_waits
        assert report.leaks.leaked == len(more)
        assert not any(1 in group.ids for group in report.groups)
        if more:
            return
        goprobe.assert_no_leaks(program.pid)
        ran = command("goroutines", str(program.pid), "--leaked")
        assert ran.code == 0
        told = " ".join(ran.text.split())
        assert "that is how a program stays, and no leak" in told
