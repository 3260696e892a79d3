"""The commands of ``python -m plans``, one module each."""
