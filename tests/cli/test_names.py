"""Processes and objects by what people call them, and what is shown of objects."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from goprobe.process.proc.discovery import membership_of
from tests.report.screen import lines
from tests.support.cli import environment, goprobe
from tests.support.go import Running, build, matrix, running

ID = "3f2a9c1b7d20" + "ab" * 26

PROGRAM = """package main

import (
	"fmt"
	"net"
)

type User struct {
	Name  string
	Prefs map[string]any
}

type Session struct {
	ID   string
	User *User
	Hits []int
}

type Store struct {
	sessions map[string]*Session
}

var store = &Store{sessions: map[string]*Session{}}
var words []string
var numbers chan int
var closed = make(chan any, 4)

type Big [70000]byte
type Name string

var title = ` a"b `
var big, hundred = new(Big), new([100]string)
var keyed = map[any]string{1: "int", int8(1): "int8", "x": "s", Name("x"): "Name", 2.0: "float"}
var small, holds, named, led any = int8(5), (*User)(nil), Name("x"), &User{Name: "led"}
var channels = make(chan chan int, 3)
var variables = []any{&title, &big, &hundred, &keyed, &small, &holds, &named, &led, &channels}

func main() {
	for i := 0; i < 20; i++ {
		id := fmt.Sprintf("s%02d", i)
		user := &User{Name: "user of " + id, Prefs: map[string]any{"theme": "dark", "n": i}}
		store.sessions[id] = &Session{ID: id, User: user, Hits: []int{i, 2 * i}}
		words = append(words, "word "+id)
	}
	numbers = make(chan int, 4)
	channels <- make(chan int, 2)
	closed <- "a"
	closed <- 5
	close(closed)
	numbers <- 7
	numbers <- 8
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("port", listener.Addr().(*net.TCPAddr).Port)
	fmt.Printf("map %p\\n", store.sessions)
	fmt.Printf("session %p\\n", store.sessions["s03"])
	fmt.Printf("prefs %p\\n", store.sessions["s03"].User.Prefs)
	fmt.Printf("chan %p\\n", numbers)
	fmt.Println("ready", len(variables))
	fmt.Scanln()
}
"""


@pytest.fixture(scope="module", params=matrix())
def program(request: pytest.FixtureRequest) -> Iterator[Running]:
    with running(build(PROGRAM, go=request.param)) as started:
        yield started


def shown(*words: str) -> list[str]:
    ran = goprobe("heap", *words, env=environment(COLUMNS="80"))
    assert ran.code == 0, ran.err
    told = lines(ran.out)
    assert max(map(len, told)) <= 80
    return [line.strip() for line in told]


def test_a_process_is_found_by_the_port_it_listens_on(program: Running) -> None:
    name = Path(f"/proc/{program.pid}/exe").readlink().name
    port = program["port"]
    for called in (f":{port}", f"{name}:{port}"):
        assert goprobe("where", called, "0x1000", "--json").json["pid"] == program.pid
    assert goprobe("heap", f"no-such-name:{port}").code == 2
    listed = goprobe("ps", "--json").json["programs"]
    assert [int(port)] == next(p["ports"] for p in listed if p["pid"] == program.pid)


def test_of_a_name_that_nobody_has_the_next_best_is_told(program: Running) -> None:
    name = Path(f"/proc/{program.pid}/exe").readlink().name
    comm = Path(f"/proc/{program.pid}/comm").read_text().strip()
    for called, sentence, hint in (
        (f"{name}:1", f"no process called {name} listens on port 1", program["port"]),
        (f"{comm[:-1]}-", "no process is called so", f"nearest: {comm}"),
        (":1", "no process listens on port 1", "goprobe ps"),
        ("core.4194305", "there is no file core.4194305", "goprobe ps"),
        ("4194305", "there is no process 4194305", "goprobe ps"),
        ("", "no process is called so", "goprobe ps"),
    ):
        ran = goprobe("maps", called)
        assert (ran.code, ran.out) == (2, b"")
        assert sentence in ran.err
        assert hint in ran.err


@pytest.mark.parametrize(
    ("text", "unit", "container"),
    [
        ("0::/system.slice/shop.service\n", "shop.service", ""),
        (f"0::/system.slice/docker-{ID}.scope\n", "", ID),
        (f"12:memory:/docker/{ID}\n0::/\n", "", ID),
        (f"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope\n", "", ID),
        (f"0::/kubepods/burstable/pod1/{ID}\n", "", ID),
        (f"0::/machine.slice/crio-{ID}.scope\n", "", ID),
        (f"0::/system.slice/containerd.service/kubepods:cri-containerd:{ID}\n",
         "containerd.service", ID),
        ("0::/user.slice/user-0.slice/user@0.service/app.slice/web.service\n", "web.service", ""),
        ("0::/../../etc\n\0garbage", "", ""),
    ],
)  # fmt: skip
def test_units_and_containers_are_read_from_the_cgroup(
    text: str, unit: str, container: str
) -> None:
    told = membership_of(text)
    assert (told.unit, told.container) == (unit, container)


def test_a_map_shows_its_entries(program: Running) -> None:
    told = shown(str(program.pid), "--object", program["prefs"])
    assert '"n" interface {}(int) 3' in told
    assert any(line.startswith('"theme" interface {}(string) ') for line in told)
    assert not any("dirPtr" in line or "buckets" in line for line in told)


def test_an_object_is_shown_nested(program: Running) -> None:
    told = shown(str(program.pid), "--object", program["session"])
    assert 'ID string "s03"' in told
    assert 'Name string "user of s03"' in told
    assert "Hits []int [3 6]" in told


def test_a_channel_shows_what_waits_in_it(program: Running) -> None:
    told = shown(str(program.pid), "--object", program["chan"])
    assert "[7 8]" in told
    told = shown(str(program.pid), "--object", "main.closed")
    assert any(line.endswith(" len 2 cap 4 closed") for line in told)
    assert '[0] interface {}(string) "a"' in told and "[1] interface {}(int) 5" in told


def test_a_slice_and_a_map_say_how_long_they_are(program: Running) -> None:
    assert "len 20 cap 32" in shown(str(program.pid), "--object", "main.words")
    told = shown(str(program.pid), "--object", "main.store")
    assert "sessions map[string]*main.Session len 20" in told


def test_a_variable_is_shown_by_its_name(program: Running) -> None:
    told = shown(str(program.pid), "--object", "main.words")
    assert '[3] string "word s03"' in told
    report = goprobe("heap", str(program.pid), "--object", "main.store", "--json").json
    assert report["object"]["type"] == "*main.Store"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("title", ['" a\\"b "']),
        ("big", ["0x*", "[0 0 *", "0 0* … 69936 more]"]),
        ("hundred", [*(f'[{i}] string ""' for i in range(24)), "… 76 more"]),
        ("keyed", [
            "len 5", '1 string "int"', '"x" string "s"', 'float64(2) string "float"',
            'int8(1) string "int8"', 'main.Name("x") string "Name"',
        ]),
        ("small", ["int8(5)"]),
        ("holds", ["*main.User(nil)"]),
        ("named", ['main.Name("x")']),
        ("led", ["*main.User(0x*)", 'Name string "led"', "Prefs map[string]interface {} nil"]),
        ("channels", ["0x* len 1 cap 3", "[0x* len 0 cap 2]"]),
    ],
)  # fmt: skip
def test_a_value_is_whole_or_says_what_is_left_out(
    program: Running, name: str, told: list[str]
) -> None:
    lines = shown(str(program.pid), "--object", f"main.{name}")
    at = next(i for i, line in enumerate(lines) if line.startswith(f"main.{name} in "))
    found = lines[at + 1 : at + 1 + len(told)]
    assert all(map(fnmatch, found, (t.replace("[", "[[]") for t in told))), found
    assert not lines[at + 1 + len(told)]


def test_objects_are_called_by_type_and_number(program: Running) -> None:
    pid = str(program.pid)
    report = goprobe("heap", pid, "--path", "main.Session#3", "--json").json
    assert report["notes"][0].startswith("this is number 3 of 20 objects of type main.Session")
    assert report["path_texts"][0].startswith("main.store.sessions")
    addresses = {
        goprobe("heap", pid, "--object", f"main.Session#{n}", "--json").json["object"]["location"][
            "address"
        ]
        for n in (1, 2)
    }
    assert len(addresses) == 2
    short = goprobe("heap", pid, "--referrers", "Session#3", "--json").json
    assert short["referrers"]
    for wrong, said in (
        ("main.Sesion", "main.Session"),
        ("main.Session#21", "20 objects"),
        ("main.Session#x", "behind #"),
    ):
        ran = goprobe("heap", pid, "--path", wrong)
        assert ran.code == 2
        assert said in ran.err


def test_who_holds_it_comes_first_and_leads_on(program: Running) -> None:
    told = shown(str(program.pid), "--retained")
    assert told[2].startswith("Held: ")
    assert "main.big" in told[2]
    following = [line for line in told if line.startswith("goprobe heap")]
    assert len(following) == 2
    words = following[0].split()
    address = words[words.index("--path") + 1]
    assert goprobe("heap", str(program.pid), "--path", address).code == 0
    types = [line for line in told if line.endswith("main.Session") or " main.Session " in line]
    assert types
    assert not any(line.endswith((" groups", " buckets")) for line in told)


def test_examples_are_objects_of_their_type(program: Running) -> None:
    pid = str(program.pid)
    types = {t["type"]: t for t in goprobe("heap", pid, "--types", "--json").json["types"]}
    example = types["main.Session"]["example"]
    told = goprobe("heap", pid, "--object", example, "--json").json["object"]
    assert told["type"] == "main.Session"


def test_several_outputs_and_what_was_written(program: Running, tmp_path: Path) -> None:
    page, report = tmp_path / "heap.html", tmp_path / "heap.json"
    ran = goprobe("heap", str(program.pid), "-o", f"html={page}", "-o", f"json={report}")
    assert ran.code == 0
    assert ran.text.splitlines()[0].endswith(")")
    assert f"wrote {page} (html, " in ran.err
    assert page.read_bytes().startswith(b"<!doctype html>")
    assert report.read_bytes().startswith(b"{")
    twice = goprobe("heap", str(program.pid), "-o", f"json={report}", "-o", f"html={report}")
    assert twice.code == 2
    assert goprobe("heap", str(program.pid), "-o", "a", "-o", "b").code == 2


def test_values_of_stripped_programs_are_told(program: Running) -> None:
    with running(build(PROGRAM, flags=["-ldflags=-s -w"])) as stripped:
        told = shown(str(stripped.pid), "--object", stripped["session"])
    assert any(line.startswith('ID string "s') for line in told), told
    assert any("Prefs map[string]interface {} len 2" in line for line in told), told
