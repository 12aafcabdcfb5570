"""goprobe's own version, for what it writes down."""

__version__ = "0.1.0"
