"""Onecount: one stock count that every channel listens to."""
