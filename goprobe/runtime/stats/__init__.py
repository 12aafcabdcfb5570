"""What the runtime itself counts and sets: the sources of runtime.MemStats and runtime/metrics."""
