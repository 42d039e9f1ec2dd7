"""Pieces of adapters that fill a module of their own. Nothing here is a provider."""
