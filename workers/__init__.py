"""The processes beside the web: inbound, outbound, scheduler."""
