"""Watching the channels: lost webhooks, numbers that differ, people who should hear."""
