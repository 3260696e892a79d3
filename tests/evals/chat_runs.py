"""Rows and answers for runs of ``pytest evals --chat``."""

import json
from pathlib import Path

from fixtures.conversations.answers import write_answers
from fixtures.conversations.rows import rows_of

SYSTEM = "Answer in one sentence."


def conversation(question, answer, **more):
    """A row as users write it."""
    turns = [("system", SYSTEM), ("user", question), ("assistant", answer)]
    return {"messages": [{"role": role, "content": text} for role, text in turns], **more}


class Chat:
    """A file of conversations, answers to them, and metrics, in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "chat.jsonl"
        self.answers_file = folder / "answers.jsonl"

    def rows(self, conversations):
        self.file.write_text("".join(json.dumps(row) + "\n" for row in conversations))
        return rows_of(self.file).rows

    def given(self, right, wrong, *, answer="I do not know", categories=("post", "shop")):
        """Options for ``right`` answers like the reference and ``wrong`` ones, the categories in turn."""
        conversations = [
            conversation(
                f"What about parcel {number}?",
                f"Parcel {number} leaves on day {number}",
                category=categories[number % len(categories)],
            )
            for number in range(right + wrong)
        ]
        rows = self.rows(conversations)
        self.answer({row.id: row.reference if n < right else answer for n, row in enumerate(rows)})
        return ["--chat", str(self.file), "--predictions", str(self.answers_file), "--num-samples", "all"]

    def answer(self, answers):
        write_answers(self.answers_file, rows_of(self.file).rows, answers)

    def metrics(self, content):
        path = self.folder / "metrics.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return ["--metrics", str(path)]
