"""The steps a webhook takes: receive, inbound, apply, publish."""
