"""Scripted breakpoint sessions: drive a Go program stop by stop and ask about its memory."""
