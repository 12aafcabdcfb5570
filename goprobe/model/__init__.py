"""What goprobe says: frozen structs, one file per subject, nothing about how they came to be."""
