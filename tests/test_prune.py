"""What the cache keeps."""

from __future__ import annotations

import os
import time
from pathlib import Path

from goprobe.cachefolder import prune


def test_what_was_longest_not_asked_for_goes(tmp_path: Path) -> None:
    now = time.time()
    for number in range(8):
        folder = tmp_path / f"build{number}"
        folder.mkdir()
        (folder / "program").write_bytes(b"x")
        os.utime(folder, (now - number, now - number))
    old = tmp_path / "old"
    old.write_bytes(b"x")
    os.utime(old, (now - 40 * 24 * 3600, now - 40 * 24 * 3600))
    prune(tmp_path)
    assert not old.exists() and len(list(tmp_path.iterdir())) == 8
    prune(tmp_path, 3)
    assert {f.name for f in tmp_path.iterdir()} == {"build0", "build1", "build2"}
