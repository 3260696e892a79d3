"""Go on pretraining a language model on plain text: ``python -m training pretrain``.

Read in this order:

``story``      the whole of it
``documents``  texts from files and folders, and every fault of them at once
``data``       the part to learn and the part to choose on
``pieces``     documents as token ids, in pieces that fit into the model
``results``    what was learned, in figures that can be compared

What it shares with other trainings of language models is in `training.causal`.
"""
