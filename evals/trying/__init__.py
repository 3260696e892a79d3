"""A quick look at what models say: ``python -m evals try``.

``prompts``       from the command line or a file to rows that candidates answer
``side_by_side``  the answers to some prompts, beside each other
``talk``          a conversation in the terminal
``record``        what was seen, kept as conversations
"""
