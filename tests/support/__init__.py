"""What tests share: real Go toolchains, and real programs that run."""
