"""`goprobe explore`: a process, a core or saved reports, to walk through in a terminal."""
