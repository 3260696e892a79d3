"""Every command line in the documentation is one that our programs know."""

from __future__ import annotations

import argparse
import re
from contextlib import suppress
from itertools import pairwise, product, takewhile

import pytest

from tests.docs.pages import PAGES, ROOT, Page, commands
from tests.docs.programs import call, complaint, options

OURS = tuple(f"{path.name}/" for path in sorted(ROOT.iterdir()) if path.is_dir() and path.name != "out")
# Options of other programs, where a page explains them without a command.
OTHERS = {"--build-arg", "--fail", "--stop-timeout"}


def faults_of_options(program, arguments):
    """Options that a command does not have and values that they do not take; the command need not be complete."""
    words = tuple(takewhile(lambda word: not word.startswith("-"), arguments))
    try:
        known = options(program, words)
    except LookupError as error:
        yield str(error)
        return
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if re.match(r"--\w", word):
            name, _, value = word.partition("=")
            value = value or following
            if name not in known:
                yield f"no option {name}"
            elif known[name] and re.fullmatch(r"[\w.,-]+", value) and value.split(",")[0] not in known[name]:
                yield f"{name} {value}: not one of {', '.join(known[name])}"


def faults(words, config):
    found = call(words)
    if found is None:
        return
    program, arguments = found
    if said := complaint(program, arguments, config):
        yield said
    if program != "pytest":
        yield from faults_of_options(program, arguments)
    for word in arguments:
        path = word.split("::")[0]
        if path.startswith(OURS) and "*" not in path and not (ROOT / path).exists():
            yield f"no file {path} in the project"


def faults_in_sentence(words, config):
    program, arguments = call(words) or (None, ())
    if program == "pytest":
        said = complaint(program, arguments, config)
        if said and "expected one argument" not in said:
            yield said
    elif program:
        yield from faults_of_options(program, arguments)


def pages():
    return [pytest.param(Page(path), id=Page(path).name) for path in PAGES]


@pytest.mark.parametrize("page", pages())
def test_commands_in_blocks_parse(page, pytestconfig):
    wrong = {" ".join(words): told for words in page.commands if (told := list(faults(words, pytestconfig)))}
    assert not wrong


@pytest.mark.parametrize("page", pages())
def test_commands_in_sentences_have_known_options(page, pytestconfig):
    """They need not be complete, and may say ``check|probe`` for two."""
    wrong = {}
    for code in page.inline_code:
        words = code.replace("\n", " ").split()
        for choice in product(*(word.split("|") if re.fullmatch(r"[a-z|]+", word) else [word] for word in words)):
            if told := list(faults_in_sentence(choice, pytestconfig)):
                wrong[" ".join(choice)] = told
    assert not wrong


@pytest.mark.parametrize("page", pages())
def test_programs_of_ours_that_commands_start_exist(page):
    missing = []
    for words in page.commands:
        for word, following in pairwise(words):
            module = re.fullmatch(r"(?:benchmarks|tests)(?:\.\w+)+", following) if word == "-m" else None
            script = re.match(r"python3?$", word) and following.endswith(".py") and following.startswith(OURS)
            path = f"{following.replace('.', '/')}.py" if module else following
            if (module or script) and not (ROOT / path).is_file():
                missing.append(" ".join(words))
    assert not missing


def options_of_all_commands():
    """Those of each command that any page names."""
    written = [words for path in PAGES for words in Page(path).commands]
    written += [code.split() for path in PAGES for code in Page(path).inline_code if "|" not in code]
    for program, arguments in filter(None, map(call, written)):
        if program != "pytest":
            with suppress(LookupError):  # an unknown one is a fault of its own page
                yield from options(program, tuple(takewhile(lambda word: not word.startswith("-"), arguments)))


@pytest.mark.parametrize("page", pages())
def test_options_in_sentences_belong_to_a_command(page, pytestconfig):
    """To one of ours that is named on any page, or to another's in a block of this page."""
    named = {code.split()[0].partition("=")[0] for code in page.inline_code if re.match(r"--\w", code)}
    known = set(options_of_all_commands())
    known |= {word.partition("=")[0] for words in page.commands for word in words}
    unknown = named - known - OTHERS
    assert not {option for option in unknown if "unrecognized" in complaint("pytest", [option], pytestconfig)}


class TestTheseTestsSee:
    """What they look for, in commands made up here."""

    @pytest.mark.parametrize(
        ("command", "told"),
        [
            ("python -m training clasify", 'unknown command "clasify"'),
            ("python -m training chat --trainfile a.jsonl", "--trainfile"),
            ("python -m training chat --method lorra", "--method lorra"),
            ("OMP_NUM_THREADS=1 torchrun --nproc_per_node 2 -m training chat --epoch 3", "--epoch"),
            ("python -m training chat --config-file fixtures/chat/gone.json", "no file fixtures/chat/gone.json"),
            ("python -m evals judge chek rubric", 'unknown command "chek"'),
            ("python -m evals report out", "required: --to"),
            ("python -m evals report out --to pdf | cat", "invalid choice: 'pdf'"),
            ("docker run image python -m evals gate /in/report --polizy x", "--polizy"),
            ("python -m plans chek a.yaml", 'unknown command "chek"'),
            ("pytest evals --judgement rubric", "--judgement"),
            ("deepeval test run evals --model-paths out", "--model-paths"),
        ],
    )
    def test_a_wrong(self, command, told, pytestconfig):
        [words, *_] = commands(command)
        assert told in "; ".join(faults(words, pytestconfig))

    @pytest.mark.parametrize(
        "command",
        [
            "python -m training chat --train-file a.jsonl --method qlora > log.txt 2>&1",
            "pytest evals --model-path out/model -n 2 --num-samples all -k sport",
            'pytest "evals/test_category_precision.py::test_category_precision[sport-1]"',
            "pip install pytest --pre",
        ],
    )
    def test_no_fault_in_a_right(self, command, pytestconfig):
        [words] = commands(command)
        assert not list(faults(words, pytestconfig))

    def test_each_command_of_a_script(self):
        script = "a 'b\nc' \\\n  --d  # it's\n# one\nE=1 f && g | h > out.txt; i || exit 1\n"
        assert list(commands(script)) == [["a", "b\nc", "--d"], ["E=1", "f"], ["g"], ["h"], ["i"], ["exit", "1"]]

    def test_that_parsing_does_nothing_else(self, pytestconfig, monkeypatch):
        monkeypatch.setattr(argparse.Namespace, "run", lambda *_: pytest.fail("it ran"), raising=False)
        assert complaint("evals", ["verdicts", "list"], pytestconfig) == ""
