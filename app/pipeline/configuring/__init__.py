"""What there is: channels, locations, listings, recipes and policies, and their changes."""
