"""What can be evaluated, and what is different between those things.

``base``   what the flow of an evaluation asks of each
``news``   a classifier of texts: one judgement a sample, of category and answer
``chat``   a model's answers in conversations: several metrics a sample, by judges and by rules
"""
