"""What every fine-tuning of a causal language model shares, whatever it learns from.

`training.chat`, `training.pretrain` and `training.prefer` are three stories told
with these words; none of them imports another's trainer.

``settings``     the fields all of them have
``task``         what every step needs to know, and the libraries that decide what comes out
``tokens``       rows of token ids, and whether the tokenizer is fit for the text
``templates``    how a conversation becomes text, and which of it the assistant says
``reporting``    faults of files, lengths and losses, told before anything long begins
``fine_tuning``  from the starting model to its best checkpoint (``trainer``, ``targets``)
``saving``       one plain model, or an adapter, loaded again elsewhere and compared
``results``      metrics, manifest, and the places where everything is
"""
