"""What goprobe said, held against witnesses that are not goprobe's, and against itself."""
