"""Whatever answers conversations, and is evaluated by its answers.

``specs``       the one string that names a candidate
``base``        an answer, or why there is none; what all kinds have in common
``asking``      a candidate that is asked, each of its answers kept at once
``kept``        the file of kept answers
``folders``     a model folder, verified and not loaded
``generation``  its answers, many at a time
``servers``     models behind OpenAI's API, Ollama's or a compatible one
``chat_wire``   what these two APIs send and receive
``files``       answers that some system gave, from a file
"""

from evals.candidates.base import Answered, Candidate
from evals.candidates.opening import open_candidate, open_candidates
from evals.candidates.settings import CandidateSettings

__all__ = ["Answered", "Candidate", "CandidateSettings", "open_candidate", "open_candidates"]
