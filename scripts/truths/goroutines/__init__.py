"""Random tangles of goroutines, held against what the program's own runtime.Stack says of them."""

from __future__ import annotations

from scripts.truths.goroutines.asking import Goroutines

KIND = Goroutines()
