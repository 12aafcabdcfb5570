"""Starting GDB, by itself: so little that it can happen before all else is even imported."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Self

from goprobe.errors import CannotWorkError
from goprobe.process.gdb import mi


class GdbProcess:
    """A GDB that starts. It ends with the block that it is used in, unless it was taken over.

    `name` is the program, `complaints` the file that is its standard error. Raises
    CannotWorkError if it can't start.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        symbols: bool = False,
    ) -> None:
        options = mi.OPTIONS if symbols else (*mi.OPTIONS, *mi.FRUGAL_OPTIONS)
        self.complaints = os.memfd_create("gdb-stderr")
        self.name = command[0]
        self._taken = False
        try:
            # A session of its own: Ctrl-C at the terminal is not for GDB.
            self.popen = subprocess.Popen(
                [*command, *options, "--interpreter=mi3"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.complaints,
                bufsize=0,
                start_new_session=True,
                env={**os.environ, "LC_ALL": "C", **(environment or {})},
            )
        except OSError as error:
            os.close(self.complaints)
            raise CannotWorkError(f"cannot run GDB ({command[0]}): {error.strerror}") from None

    def take(self) -> Self:
        """Whoever calls this ends it from now on."""
        self._taken = True
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._taken:
            return
        self._taken = True
        self.popen.kill()
        with contextlib.suppress(OSError):
            self.popen.communicate()
        os.close(self.complaints)
