"""Runs Plans on this machine, in a folder, as Knitfab would run them."""

from plans.local.platform import LocalPlatform

__all__ = ["LocalPlatform"]
