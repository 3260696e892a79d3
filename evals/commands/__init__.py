"""The commands of ``python -m evals``, one module each: ``add_parser`` declares it, ``run`` does it."""
