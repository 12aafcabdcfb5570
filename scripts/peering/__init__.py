"""Real code as a witness: goprobe beside GDB at random lines of packages' own tests."""
