"""What applying consists of: from what a batch told to cases, movements and levels."""
