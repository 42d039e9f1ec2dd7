"""One command of `onecount` per module, in its attribute `command`."""
