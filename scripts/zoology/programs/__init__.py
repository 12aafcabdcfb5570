"""The programs: a module each, with `PROGRAMS: tuple[Program, ...]` in it."""
