"""What each channel should show, and every attempt to tell it."""
