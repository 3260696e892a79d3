"""``python -m training data``: the same data set, in a folder."""

from __future__ import annotations

import pytest

from fixtures.datasets import load_dataset
from training.__main__ import main


@pytest.mark.parametrize("name", ["embedded", "20newsgroups"])
def test_a_data_set_in_a_folder_keeps_its_ids_and_digests(name, tmp_path, request, monkeypatch, capsys):
    if name == "20newsgroups":
        monkeypatch.setenv("SCIKIT_LEARN_DATA", str(request.getfixturevalue("shared_data") / "sklearn"))

    assert main(["data", "--dataset", name, "--save-to", str(tmp_path)]) == 0

    original, exported, said = load_dataset(name), load_dataset(str(tmp_path)), capsys.readouterr().out
    for split in ("train", "test"):
        assert exported.digest(split) == original.digest(split)
        assert f"{len(original.splits[split])} documents, digest {original.digest(split)[:12]}" in said


def test_an_unknown_data_set_is_one_line(tmp_path, capsys):
    assert main(["data", "--dataset", "20newsgroup", "--save-to", str(tmp_path)]) == 2

    assert capsys.readouterr().err.startswith('error: unknown data set "20newsgroup"')
