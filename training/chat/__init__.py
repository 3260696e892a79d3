"""Fine-tune a language model on conversations: ``python -m training chat``.

Read in this order:

``story``       the whole of it
``data``        conversations from `fixtures.conversations`, and every fault of the files at once
``tokens``      conversations as token ids, with the tokens to learn marked (``weights``: turns that are only read)
``cutting``     what fits into the model, and what was cut
``fine_tuning`` the training

What it shares with other trainings of language models is in `training.causal`.
"""
