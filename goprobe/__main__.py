"""Where `goprobe` and `python -m goprobe` begin."""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command line. Until it has begun, an interrupt ends the process and nothing else:
    Python would tell of it from wherever it was with its imports."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from goprobe.cli import main

    main()


if __name__ == "__main__":
    main()
