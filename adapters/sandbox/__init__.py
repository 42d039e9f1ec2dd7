"""Small real HTTP servers that behave like the providers, for demo, tests and benchmarks.

They follow the providers' published behaviour, never our adapters: neither imports the
other. Run one with `python -m adapters.sandbox.<provider> --port 0 --config FILE.json`.
"""
