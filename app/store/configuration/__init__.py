"""Channels, locations, listings and policies: what a business told us of itself."""
