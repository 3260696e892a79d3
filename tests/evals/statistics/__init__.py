"""Each statistic against a published number or another library, and what must hold for all input."""

from hypothesis import settings

# Enough to find what is wrong, for a folder that runs in seconds; a busy machine is no failure.
quick = settings(deadline=None, max_examples=40)
