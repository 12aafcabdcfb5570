"""`python -m goprobe`."""

from goprobe.cli import main

main()
