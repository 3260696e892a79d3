"""Fine-tuning of language models: ``python -m training``.

Each sub-command has one module that tells its story from top to bottom;
``classify`` is the first. What it hands on is a model folder with a manifest.
"""
