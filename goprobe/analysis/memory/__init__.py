"""`goprobe memory`: why a process is as large as it is."""
