"""The trade's rules: standard library only, no clock, no I/O."""
