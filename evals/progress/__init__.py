"""What is shown while the stages before the first test run.

``snapshots``  how far a stage is, in figures
``counting``   those of judging, from the votes as they come in
``words``      figures as a line of text that fits a width
``stage``      one stage: a live line in a terminal, lines now and then in a log
``display``    where an evaluation shows its stages
``in_pytest``  the display that suits a pytest session
"""

from evals.progress.counting import RunningCount
from evals.progress.display import TerminalDisplay
from evals.progress.snapshots import Judged, Predicted

__all__ = ["Judged", "Predicted", "RunningCount", "TerminalDisplay"]
