"""A folder for the temporary files of each run of the tests.

pytest numbers the folders of all runs in one place. Where two runs end at about the same time the
one unlocks the folder whose number the other has just got again (it deletes its own first, and lets
go of the lock after: `pytest_sessionfinish`, tmpdir.py of pytest 8), and a third deletes it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path


def own_root() -> Path:
    """One that no other run has; those of runs that are over are taken away, with what failed."""
    home = Path(tempfile.gettempdir()) / f"goprobe-tests-{os.getuid()}"
    home.mkdir(mode=0o700, exist_ok=True)
    for old in home.iterdir():
        if not Path(f"/proc/{old.name}").exists():
            shutil.rmtree(old, ignore_errors=True)
    root = home / str(os.getpid())
    root.mkdir(exist_ok=True)
    return root
