"""Where the code of a place in the source shows that it runs."""

from __future__ import annotations

from goprobe.arch.amd64.codestarts import CodeStarts as CodeStarts, Weight as Weight
