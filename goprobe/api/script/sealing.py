"""The lines of a recording: each carries a sum of itself, so that no damaged one is played, and a
long one is packed by itself, so that what was written whole can be played, however it ended."""

from __future__ import annotations

import base64
import re
import zlib

_SUM = re.compile(rb',"sum":(\d{1,10})\}\Z')
_LONGEST = 24  # bytes of that
_PACKED, _END = b'{"deflated":"', b'"}'
_LONG = 384  # bytes of a line
_LIMIT = 1 << 28  # of what a packed one may hold


def sealed(line: bytes) -> bytes:
    """An object of JSON, packed where it is long, with a sum as its last member."""
    if len(line) > _LONG:
        line = _PACKED + base64.b64encode(zlib.compress(line)) + _END
    return line[:-1] + b',"sum":%d}' % zlib.crc32(line)


def opened(line: bytes) -> bytes | None:
    """The object; None where it is not as it was written. Earlier recordings have no sums."""
    sum_ = _SUM.search(line, max(0, len(line) - _LONGEST))
    if sum_ is not None:
        line = line[: sum_.start()] + b"}"
        if zlib.crc32(line) != int(sum_[1]):
            return None
    if not line.startswith(_PACKED):
        return line
    unpack = zlib.decompressobj()
    try:
        packed = base64.b64decode(line[len(_PACKED) : -len(_END)], validate=True)
        plain = unpack.decompress(packed, _LIMIT)
    except (ValueError, zlib.error):
        return None
    return plain if unpack.eof else None
