"""The demo: a small shop whose channels are sandboxes, and the story of its jacket."""
