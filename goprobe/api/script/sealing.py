"""The lines of a recording: each carries a sum of itself, so that no damaged one is played."""

from __future__ import annotations

import re
from zlib import crc32

_SUM = re.compile(rb',"sum":(\d{1,10})\}\Z')
_LONGEST = 24  # bytes of that


def sealed(line: bytes) -> bytes:
    """An object of JSON, with its sum as the last member."""
    return line[:-1] + b',"sum":%d}' % crc32(line)


def is_whole(line: bytes) -> bool:
    """Whether it is as it was written; earlier recordings have no sums."""
    sum_ = _SUM.search(line, max(0, len(line) - _LONGEST))
    return sum_ is None or crc32(line[: sum_.start()] + b"}") == int(sum_[1])
