"""What publishing consists of: which numbers are wanted, whose turn it is, what came of it."""
