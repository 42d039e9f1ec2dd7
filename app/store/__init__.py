"""Rows and queries, no rules. Functions take a connection and never commit."""
