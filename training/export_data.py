"""``python -m training data``: a data set as a folder of files.

A Run on a cluster has no internet and its data comes in as a folder; what is in
scikit-learn's cache here is made one. Ids and digests stay the same.
"""

from __future__ import annotations

from pathlib import Path

from fixtures.contracts.files import write_jsonl
from fixtures.datasets import SPLITS, NewsDataset, load_dataset

__all__ = ["export_data"]


def export_data(name: str, remove: tuple[str, ...], folder: Path) -> NewsDataset:
    """Write ``train.jsonl`` and ``test.jsonl`` of the data set called ``name`` into ``folder``.

    Documents without text are left out, as everywhere. Raises UserError as
    `load_dataset` does, and when the folder cannot be written.
    """
    dataset = load_dataset(name, remove=remove)
    for split in SPLITS:
        rows = ({"text": document.text, "label": document.label} for document in dataset.splits[split])
        write_jsonl(folder / f"{split}.jsonl", rows)
    return dataset
