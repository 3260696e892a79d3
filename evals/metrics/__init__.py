"""What judges are asked for.

``base``                what every metric offers to a jury
``geval``               DeepEval's GEval, with the answer validated before GEval reads it
``category_precision``  the metric of the news samples
"""
