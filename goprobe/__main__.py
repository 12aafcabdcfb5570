"""Where `goprobe` and `python -m goprobe` begin."""

from __future__ import annotations

# Built in: `signal` imports others, in which an interrupt would be told of.
import _signal  # type: ignore[import-not-found]
import sys


def main() -> None:
    """Run the command line. Until it has begun, an interrupt ends the process and nothing else:
    Python would tell of it from wherever it was with its imports."""
    handler = _signal.getsignal(_signal.SIGINT)
    if handler is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    if handler is not _signal.SIG_IGN:
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {_signal.SIGINT})  # scripts/goprobe blocks it
    if not _told_version():
        from goprobe.cli import main

        main()


def _told_version() -> bool:
    """Whether the version was all that was asked, and has been told: nothing has to be loaded for
    it. What goes wrong with that is told by the command line, which tries it once more."""
    if sys.argv[1:] != ["--version"]:
        return False
    import posix

    from goprobe.version import __version__

    try:
        posix.write(1, f"goprobe {__version__}\n".encode())
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
