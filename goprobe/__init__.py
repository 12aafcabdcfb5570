"""goprobe: a live memory inspector for Go processes on Linux."""

__version__ = "0.1.0"
