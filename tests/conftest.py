"""What every test shares."""

from __future__ import annotations

from hypothesis import settings

# How long a test takes says nothing on a busy machine; timing belongs in bench/.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
