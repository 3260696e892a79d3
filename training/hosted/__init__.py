"""Fine-tuning at OpenAI, or at Azure OpenAI, and the way off it.

OpenAI closes self-serve fine-tuning; this is thin on purpose. What is worth
keeping is taken along: result files, curves, and what the model answers.

``settings``     what each command can be told
``check``        the data by OpenAI's rules, tokens and cost (``rules``, ``tokens``)
``uploads``, ``create``, ``jobs``   files and jobs
``watch``        a job until its end (``events``)
``results``      result file, curves, checkpoints (``checkpoints``, ``download``)
``record``       a model's answers, as a file that evaluation reads (``asking``, ``finished``)
``api``          the connection, and what its errors mean to the user
"""
