"""What is put into a program to be counted, and what has to be known of it afterwards: plain data.

It is made of the program's own code (`arming.py`), and is the same each time that code, what is
asked and where it lies are: so it may be kept, and whoever keeps it need not decode instructions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Protocol

import msgspec

from goprobe.arch.elsewhere import Copied
from goprobe.process.tracer.noted import Noted
from goprobe.process.tracer.points import Point


class Armed(msgspec.Struct, frozen=True, kw_only=True):
    """`texts` are the stretches of the program's code, as they are to be; `code` is the cave's.
    `control` and `slot_words` are what the shared memory begins with. `places` are the ledger's, by
    owners, `callees` where the stubs of sites go on to, and `targets` whom their calls called.
    `points` are the breakpoints, and the returns that are noted; of the probes that are `noted`
    `moved` has by slots what is done in their place."""

    texts: tuple[bytes, ...]
    code: bytes
    control: bytes
    slot_words: bytes
    places: tuple[int, ...]
    callees: tuple[int, ...]
    targets: tuple[int, ...]
    points: tuple[Point, ...]
    noted: tuple[Noted, ...]
    moved: msgspec.Raw

    def slots(self) -> Mapping[int, Copied]:
        """`moved`, which is wanted of few runs."""
        return msgspec.msgpack.decode(self.moved, type=dict[int, Copied])


class KeptArmed(Protocol):
    """Where they are kept, by what they were made of."""

    def load(self, key: str) -> Armed | None: ...

    def keep(self, key: str, armed: Armed) -> None: ...


def key_of(asked: object, *texts: bytes) -> str:
    """Names all that something is made of."""
    digest = hashlib.sha256(msgspec.msgpack.encode(asked))
    for text in texts:
        digest.update(text)
    return digest.hexdigest()
