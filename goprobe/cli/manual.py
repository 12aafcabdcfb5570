"""What the command line says of itself beyond its options: examples, exit codes, topics.

`goprobe help`, `--help` of each command and the manual page are made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

Entries = list[tuple[str, str]]

EXAMPLES: dict[str, Entries] = {
    "trace": [
        ("goprobe trace hello.go", "where everything of a program lies"),
        ("goprobe trace ./cmd/shop --break main.pay --var order", "one variable, at a function"),
        ("goprobe trace . --compare", "with and without the optimiser"),
    ],
    "escape": [
        ("goprobe escape .", "run it, and hold the compiler's predictions against it"),
        ("goprobe escape ./... --test --fail-on contradicted,spilled_to_heap", "in CI"),
        ("goprobe escape . --format html -o escape.html", "a page to walk through"),
    ],
    "explain": [("goprobe explain", "the well-known picture of a Go program, measured")],
    "script": [("goprobe script session.py ./cmd/shop", "a session in Python")],
    "where": [("goprobe where shop 0xc000012040", "what is at an address, and how it is known")],
    "maps": [("goprobe maps shop", "the process's memory as Go uses it")],
    "goroutines": [
        ("goprobe goroutines shop", "goroutines by what they do"),
        ("goprobe goroutines shop --leaked", "those that can never run again"),
        ("goprobe goroutines shop --waits", "what each waits on, and who has it"),
        ("goprobe goroutines shop --locals --in main.worker", "the variables of their frames"),
        ("goprobe goroutines shop --contention", "where they waited for locks and channels"),
    ],
    "heap": [
        ("goprobe heap shop --retained", "who holds the memory, and of which type it is"),
        ("goprobe heap shop --path main.Session", "which root keeps an object of a type"),
        ("goprobe heap shop --object main.sessions", "a variable, or an object, as Go shows it"),
        ("goprobe heap shop --every 30s --count 10", "what grows"),
        ("goprobe heap shop --sites --types", "which stacks allocated it"),
        ("goprobe heap shop --sample-for 30s", "the same, of a program that samples nothing"),
        ("goprobe heap shop --waste", "what of it is kept for nothing"),
        ("goprobe heap shop --leaked", "what goroutines keep that can never run again"),
        ("goprobe heap core.4711 --exe ./shop --retained", "the same after a crash"),
    ],
    "memory": [
        ("goprobe memory shop", "why the process is as large as it is"),
        ("goprobe memory shop --every 2s", "the same, live, with rates"),
        ("goprobe memory shop --format openmetrics", "for a scrape"),
    ],
    "calls": [
        ("goprobe calls shop 'main.(*Store).*' --for 10s", "calls with arguments and results"),
    ],
    "explore": [
        ("goprobe explore shop", "a running process"),
        ("goprobe explore heap.json", "a report that was saved with heap --retained --json"),
    ],
    "report": [("goprobe report shop -o incident", "a folder of pages to attach to an incident")],
    "ps": [("goprobe ps", "the Go processes that run here")],
    "doctor": [("goprobe doctor", "what works on this machine, and what to install")],
    "completion": [('eval "$(goprobe completion bash)"', "completes commands, options, processes")],
    "help": [("goprobe help glossary", "the words"), ("goprobe help man | man -l -", "the manual")],
}

EXIT_CODES: Entries = [
    ("0", "done, nothing found"),
    ("1", "done, with findings: a broken promise, dangling pointer, leaked goroutine, deadlock"),
    ("2", "wrong usage, or the Go program does not build"),
    ("3", "goprobe cannot work here; it says how to mend that"),
    ("4", "the target misbehaved: it crashed, timed out or is gone"),
]

PROCESSES: Entries = [
    ("4711", "a process number"),
    ("shop", "a name that one process has"),
    ("shop:8080", "a name, and a TCP port that it listens on"),
    (":8080", "whoever listens there"),
    ("shop.service", "a systemd unit with one Go process"),
    ("3f2a9c1b7d20", "a container's id, or its first digits (docker, containerd, cri-o, podman)"),
    ("core.4711", "a core file; --exe BINARY where it does not say of which program it is"),
]

OBJECTS: Entries = [
    ("0xc000012040", "an address; decimal, as Go prints a uintptr, where that is the only memory"),
    ("main.sessions", "a package-level variable; for --path and --referrers what it points at"),
    ("main.Session", "the first object of a type, in order of address"),
    ("main.Session#3", "the third"),
]

FORMATS: Entries = [
    ("text", "for a terminal"),
    ("json", "for programs; goprobe/report/schemas has the schemas (--json for short)"),
    ("html", "one page, complete in itself; into a file: -o FILE"),
    ("pprof", "heap only: a profile for go tool pprof"),
    ("openmetrics", "memory only: for a scrape (Prometheus)"),
    ("sarif", "escape only: for code scanning"),
    ("github", "escape only: annotations of a workflow"),
    ("markdown", "escape only: the summary of a pull request"),
]


def _verdicts() -> Entries:
    from goprobe.report.verdicts import MEANINGS

    return [(verdict.value, meaning) for verdict, meaning in MEANINGS.items()]


def _glossary() -> Entries:
    from goprobe.report.glossary import GLOSSARY

    return list(GLOSSARY.items())


def _memory() -> Entries:
    from goprobe.report.words import KIND_MEANINGS, KIND_NAMES

    return [(KIND_NAMES[kind], meaning) for kind, meaning in KIND_MEANINGS.items()]


TOPICS: dict[str, tuple[str, Callable[[], Entries]]] = {
    "glossary": ("The words that reports use", _glossary),
    "verdicts": ("What goprobe escape says of a prediction", _verdicts),
    "memory": ("Kinds of memory", _memory),
    "processes": ("What a PROCESS may be", lambda: PROCESSES),
    "objects": ("What --path, --referrers and --object take", lambda: OBJECTS),
    "formats": ("What --format takes", lambda: FORMATS),
    "exit-codes": ("Exit codes", lambda: EXIT_CODES),
}
"""A title each, and what is listed below it."""


def topic_lines(name: str, width: int) -> Iterator[str]:
    """A topic as text."""
    import textwrap

    title, entries = TOPICS[name]
    yield title
    for word, meaning in entries():
        yield ""
        yield f"  {word}"
        yield from textwrap.wrap(
            meaning, width, initial_indent="      ", subsequent_indent="      "
        )
