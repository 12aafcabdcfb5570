"""What the cache keeps."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from goprobe import cachefolder
from goprobe.cachefolder import prune, prune_folders


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


def test_rooms_of_other_versions_go_when_nothing_is_made_in_them(tmp_path: Path) -> None:
    for name in ("facts-1", "facts-2", "facts-3", "study-1"):
        (tmp_path / name / "inside").mkdir(parents=True)
        os.utime(tmp_path / name, (0, 0))
    os.utime(tmp_path / "facts-2")
    prune_folders(tmp_path, "facts-", keep="facts-3")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["facts-2", "facts-3", "study-1"]


def test_of_more_bytes_than_are_kept_the_longest_not_asked_for_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cachefolder, "_MOST_BYTES", 250)
    for number in range(4):
        path = tmp_path / str(number)
        path.write_bytes(bytes(100))
        at = time.time() - 100 + number
        os.utime(path, (at, at))
    cachefolder.prune(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"2", "3"}
