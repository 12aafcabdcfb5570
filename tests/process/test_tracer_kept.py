"""What is put into a program is the same each time, and may be kept."""

from __future__ import annotations

import msgspec

from goprobe.process.tracer.armed import Armed
from goprobe.process.tracer.run import ProbeSite
from tests.process.traced import MANY, done, noted_later, releases, sites_of, trace
from tests.support.calls import functions
from tests.support.go import build

_ALLOCATE = r"^runtime\.(mallocgc|newobject)"


class _Kept:
    """On a shelf, as bytes."""

    def __init__(self) -> None:
        self.shelf: dict[str, bytes] = {}
        self.taken: list[str] = []

    def load(self, key: str) -> Armed | None:
        if key not in self.shelf:
            return None
        self.taken.append(key)
        return msgspec.msgpack.decode(self.shelf[key], type=Armed)

    def keep(self, key: str, armed: Armed) -> None:
        self.shelf[key] = msgspec.msgpack.encode(armed)


@releases
def test_what_was_kept_does_what_was_made(go: str) -> None:
    binary = build(MANY, go=go)
    (alloc,) = functions(binary, r"^main\.alloc$")
    sites = sites_of(binary, r"^main\.alloc$", _ALLOCATE)
    probes = [
        ProbeSite(alloc.address, 7, 5),
        ProbeSite(alloc.address + 4, 8, 1, only_whether=True),
    ]
    kept = _Kept()
    asked = {**noted_later(binary, sites), "probes": probes}
    made, again = (trace(binary, "1", "2000", "profile", **asked, kept=kept) for _ in range(2))
    for run in (made, again):
        done(run)
        assert run.said() == 2000
        assert list(run.outcome.counts.values()) == [2000]
        assert len(run.outcome.hits) == 32 and len(run.outcome.probes) == 5
        assert run.outcome.ran == {8}
    assert len(kept.shelf) == len(kept.taken) == 1
    assert [h.arguments[0] for h in made.outcome.hits] == [
        h.arguments[0] for h in again.outcome.hits
    ]
    # Something else is asked.
    other = trace(binary, "1", "2000", **asked, kept=kept, inspect=3)
    done(other)
    assert len(other.outcome.hits) == 3
    assert len(kept.shelf) == 2 and len(kept.taken) == 1
