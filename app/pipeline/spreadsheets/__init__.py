"""Spreadsheets in and out: read, looked at, let in, undone, exported."""
