"""Knitfab, through its command line ``knit``."""

from plans.knit.platform import KnitPlatform

__all__ = ["KnitPlatform"]
