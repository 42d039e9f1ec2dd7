"""Laws are tried on many examples, on machines that do other things meanwhile."""

from hypothesis import settings

settings.register_profile("onecount", deadline=None, derandomize=True)
settings.load_profile("onecount")
