"""Packages of the dev extra that a test needs: in CI it fails where one is missing."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import pytest


def needed(module: str) -> Any:
    """The module; where it is missing the test is skipped aloud, and fails where CI is set."""
    if os.environ.get("CI"):
        return import_module(module)
    return pytest.importorskip(
        module,
        reason=f"NO {module.upper()}: what needs it is NOT tested here; pip install {module}",
    )
