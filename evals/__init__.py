"""Evaluation: samples, predictions, a judge's verdicts, one gate, reports.

Read in this order: ``test_category_precision``, ``plugin``, ``evaluation``,
``judging``, ``gate``.
"""
