"""`goprobe explain`: the familiar picture of a Go program's memory, measured claim by claim."""
