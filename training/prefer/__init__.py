"""Tune a chat model by preferences, with trl's DPOTrainer: ``python -m training prefer``.

Read in this order:

``story``    the whole of it
``pairs``    a prompt, the better answer and the worse one, from a file, with every fault at once
``data``     the pairs to learn and those to choose on
``tokens``   pairs as token ids, and what fits into the model
``trainer``  trl's DPOTrainer, following a plan, with a validation that is exact
``results``  what was learned, and whether it cost the better answers their probability

What it shares with other trainings of language models is in `training.causal`.
"""
