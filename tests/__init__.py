"""Tests: real Go programs, real processes, real tools."""
