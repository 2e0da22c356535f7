"""How long an example takes depends on the machine, and says nothing about what it shows."""

from hypothesis import settings

settings.register_profile("mcastd", deadline=None)
settings.load_profile("mcastd")
