"""`goprobe heap --waste`: bytes that live and serve nobody."""
