"""What every test runs under."""

from hypothesis import settings

settings.register_profile("engine", deadline=None)  # a busy machine is no defect
settings.load_profile("engine")
