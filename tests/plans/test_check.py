"""``python -m plans check``: Knitfab's own verdicts, every rule, every warning."""

import json
import os
import re
from pathlib import Path

import pytest

from plans.__main__ import main
from plans.checking.regrets import WARNINGS
from plans.knitfab.rules import RULES
from plans.knitfab.server import ServerRefused, accept

ROOT = Path(__file__).parents[2]

# A Plan of which nothing is to be said, and the lines by which each case differs from it.
CLEAN = """\
image: "localhost:30503/program:v1"
inputs:
  - path: /in/model
    tags: ["type:model"]
outputs:
  - path: /out
    tags: ["type:report"]
log:
  tags: ["type:log"]
"""


def with_lines(*lines):
    return CLEAN + "".join(f"{line}\n" for line in lines)


def with_input(path, tags):
    return CLEAN.replace("/in/model", path, 1).replace('["type:model"]', tags, 1)


def with_output(path, tags='["type:report"]'):
    return CLEAN.replace("/out", path, 1).replace('["type:report"]', tags, 1)


@pytest.fixture
def check(tmp_path, capsys):
    """Check texts, given by file name, in their order; returns the exit code and the answers by file name."""

    def run(texts, *options):
        for name, text in texts.items():
            (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        code = main(["check", *(str(tmp_path / name) for name in texts), *options, "--format", "json"])
        answers = json.loads(capsys.readouterr().out)
        return code, {Path(answer["file"]).name: answer for answer in answers}

    return run


@pytest.fixture
def check_one(check):
    return lambda text: check({"plan.yaml": text})[1]["plan.yaml"]


def real_cases():
    folder = os.environ.get("NEWSJUDGE_SHARED_DATA")
    index = Path(folder or ".") / "knitfab" / "plan-cases" / "index.json"
    if not index.is_file():
        reason = "NEWSJUDGE_SHARED_DATA names no folder with Knitfab's verdicts"
        return [pytest.param(None, {}, {}, marks=pytest.mark.skip(reason=reason), id="knitfab")]
    cases = {case["file"]: case for case in json.loads(index.read_text())}
    return [pytest.param(index.parent, cases, case, id=case["name"]) for case in cases.values()]


@pytest.mark.parametrize(("folder", "cases", "case"), real_cases())
def test_knitfab_itself_gave_the_same_verdict(folder, cases, case, capsys):
    registered = []
    before = case["requires"]
    while before:
        registered[:0] = ["--registered", str(folder / before)]
        before = cases[before]["requires"]

    code = main(["check", str(folder / case["file"]), *registered, "--format", "json"])

    [answer] = json.loads(capsys.readouterr().out)
    assert (answer["verdict"], answer["stage"], answer["status"]) == (case["verdict"], case["stage"], case["status"])
    assert (case["error"] or "") in (answer["message"] or "")
    assert code == (0 if case["verdict"] == "valid" else 3)


BROKEN = {
    "yaml-syntax": (CLEAN + "args: [\n", 11),
    "yaml-type": (with_lines("args: --model"), 10),
    "yaml-key-twice": (with_lines("active: true", "active: false"), 11),
    "yaml-merge": (with_lines("<<: 5"), 10),
    "tag-without-colon": (with_input("/in", '["model"]'), 4),
    "tag-timestamp": (with_input("/in", '["knit#timestamp:2021-10-11"]'), 4),
    "tag-transient": (with_input("/in", '["knit#transient:maybe"]'), 4),
    "tag-mapping": (with_input("/in", "[{type: model}]"), 4),
    "image-name": (CLEAN.replace(":v1", "@sha256:" + 64 * "a"), 1),
    "label-format": (with_lines("on_node: {must: [gpu]}"), 10),
    "annotation-format": (with_lines("annotations: [owner]"), 10),
    "quantity": (with_lines("resources:", "  cpu: two"), 11),
    "not-sendable": (with_input("/in", """['note:"x"']"""), 4),
    "image-missing": (CLEAN.replace("image", "Image"), 1),
    "system-tag-value": (with_input("/in", "[{key: knit#timestamp, value: now}]"), 4),
    "label-key": (with_lines("on_node:", "  must:", "    - node_pool=gpu"), 12),
    "label-value": (with_lines("on_node: {may: [pool=]}"), 10),
    "no-inputs": (CLEAN.replace("  - path: /in/model\n", "").replace('    tags: ["type:model"]\n', ""), 2),
    "path-empty": (with_output('""'), 6),
    "path-not-clean": (with_output("/out/../x"), 6),
    "input-without-tags": (with_input("/in", "[]"), 4),
    "input-transient": (with_input("/in", '["knit#transient:failed"]'), 4),
    "system-tag-twice": (with_input("/in", '["knit#id:a", "knit#id:b"]'), 4),
    "system-tag-unknown": (with_input("/in", '["knit#name:a"]'), 4),
    "output-system-tag": (with_output("/out", '["knit#id:a"]'), 7),
    "log-system-tag": (CLEAN.replace('["type:log"]', '["knit#id:a"]'), 9),
    "mounts-overlap": (with_output("/in/model2"), 6),
    "plan-cycle": (with_output("/out", '["type:model", "more:tags"]'), 5),
    "value-too-long": (with_lines("service_account: " + 64 * "a"), 10),
    "label-twice": (with_lines('on_node: {must: ["a=b", "a=b"]}'), 10),
    "nul-character": (with_lines('args: ["a\\0b"]'), 10),
}
# Two Plans are needed for the one, a client other than knit for the other.
ELSEWHERE = {"plan-equivalent", "request-malformed"}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_is_named_with_its_line(rule, check_one):
    text, line = BROKEN[rule]

    answer = check_one(text)

    assert (answer["verdict"], answer["rule"], answer["line"]) == ("invalid", rule, line)
    assert (answer["stage"], answer["status"]) == RULES[rule][:2]
    assert answer["message"]


def test_every_rule_is_tested():
    assert set(BROKEN) | ELSEWHERE == set(RULES)


@pytest.mark.parametrize(
    "request_",
    [
        {"inputs": "all"},
        {"inputs": ["/in"]},
        {"inputs": [{"path": "/in", "tags": [5]}]},
        {"inputs": [{"path": "/in", "tags": ["model"]}]},
        {"args": [1]},
        {"image": 5},
        {"resources": {"cpu": "two"}},
        {"on_node": {"must": ["gpu"]}},
        {"active": "yes"},
    ],
    ids=str,
)
def test_a_request_that_is_no_plan(request_):
    with pytest.raises(ServerRefused) as refusal:
        accept({"image": "program:v1", **request_}, [])
    assert (refusal.value.status, refusal.value.rule) == (400, "request-malformed")


SILENT = {
    "unknown-key": (with_lines("input: []"), 10, 'did you mean "inputs"?'),
    "second-document": (with_lines("---", "image: [x"), 12, "not read"),
    "null-item": (with_lines("args: [a, ~]"), 10, "dropped"),
    "yaml11-boolean": (with_lines("args:", "  - yes"), 11, 'the text "yes"'),
    "source-text": (with_lines("args: [a,", "  010]"), 11, 'the text "010"'),
    "image-latest": (CLEAN.replace(":v1", ""), 1, "program:latest names no version"),
    "no-log": (CLEAN.partition("log:")[0], 1, "no log"),
    "output-without-tags": (with_output("/out", "[]"), 6, "/out has no tags"),
    "tag-empty": (with_output("/out", '["type:"]'), 7, '"type:"'),
    "inputs-alike": (
        CLEAN.replace("outputs", '  - path: /other\n    tags: ["type:model"]\noutputs'),
        5,
        "/in/model and /other",
    ),
    "path-hides-system": (with_output("/usr/local/bin"), 6, "/usr/local/bin"),
    "resource-name": (with_lines("resources:", "  gpu: 1"), 11, 'did you mean "nvidia.com/gpu"?'),
    "resource-not-positive": (with_lines("resources:", "  cpu: -1"), 11, "cpu: -1"),
    "resource-fraction": (with_lines("resources:", "  nvidia.com/gpu: 500m"), 11, "not a whole number"),
    "resource-unlikely": (with_lines("resources:", "  memory: 16"), 11, "16 bytes is too little"),
}


@pytest.mark.parametrize("name", SILENT)
def test_what_knitfab_accepts_without_a_word_is_a_warning(name, check_one):
    text, line, message = SILENT[name]

    answer = check_one(text)

    assert answer["verdict"] == "valid"
    [warning] = answer["warnings"]
    assert (warning["name"], warning["line"]) == (name, line)
    assert message in warning["message"]


def test_every_warning_is_tested():
    assert set(SILENT) | {"shared-config"} == set(WARNINGS)


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("args: [--samples, 100, --rate, 0.5, true, 2021-10-11, 'yes', \"010\", a b]",),
        ("active: false",),
        ("resources: {cpu: 500m, memory: 10Gi, nvidia.com/gpu: 1, ephemeral-storage: 1Gi, hugepages-2Mi: 4Mi}",),
        ("---", "# only a comment"),
    ],
)
def test_nothing_is_said_of_what_is_meant(lines, check_one):
    assert check_one(with_lines(*lines))["warnings"] == []


def test_yes_is_true_for_active_but_not_for_all_readers(check_one):
    [warning] = check_one(with_lines("active: yes"))["warnings"]
    assert warning["message"] == "yes is read as true; write true"


@pytest.mark.parametrize("key", ["outputs[0].path", "inputs[0].tag"])
def test_an_unknown_key_inside_is_seen_too(key, check_one):
    text = (
        CLEAN.replace("    tags", "    tag", 1) if "inputs" in key else CLEAN.replace("- path: /out", "- paths: /out")
    )
    warnings = check_one(text)["warnings"]
    assert [warning["name"] for warning in warnings] == ["unknown-key"]


CONFIG = '  - path: /in/config\n    tags: ["type:config"]\noutputs'
TRAIN = CLEAN.replace("type:model", "type:dataset").replace("type:report", "type:model").replace("outputs", CONFIG)
EVALUATE = CLEAN.replace("program", "other").replace("outputs", CONFIG)


class TestPlansTogether:
    def test_a_config_that_two_programs_share(self, check):
        _, answers = check({"train.yaml": TRAIN, "evaluate.yaml": EVALUATE})
        assert answers["train.yaml"]["warnings"] == []
        [warning] = answers["evaluate.yaml"]["warnings"]
        assert (warning["name"], warning["line"]) == ("shared-config", 6)
        assert "train.yaml" in warning["message"]

    def test_one_program_in_two_plans_may_share_its_config(self, check):
        shard = EVALUATE.replace("/out", "/out/part")
        _, answers = check({"evaluate.yaml": EVALUATE, "shard.yaml": shard})
        assert [answer["warnings"] for answer in answers.values()] == [[], []]

    def test_but_not_if_one_feeds_the_other(self, check):
        _, answers = check({"train.yaml": TRAIN, "evaluate.yaml": EVALUATE.replace("other", "program")})
        assert [warning["name"] for warning in answers["evaluate.yaml"]["warnings"]] == ["shared-config"]

    def test_the_same_plan_with_other_resources(self, check):
        code, answers = check({"one.yaml": CLEAN, "two.yaml": with_lines("active: false", "resources: {cpu: 4}")})
        assert code == 3
        assert (answers["two.yaml"]["rule"], answers["two.yaml"]["status"]) == ("plan-equivalent", 409)

    def test_the_same_texts_in_another_order_are_another_plan_unless_they_read_the_same(self, check):
        texts = {f"{n}.yaml": with_lines(f"args: {args}") for n, args in enumerate(["[a, b]", "[b, a]", "[ab]"])}
        assert check(texts)[0] == 0
        _, answers = check({"a.yaml": with_lines("args: [a, aa]"), "b.yaml": with_lines("args: [aa, a]")})
        assert answers["b.yaml"]["rule"] == "plan-equivalent"

    def test_a_ring_over_three_plans(self, check, tmp_path, capsys):
        def plan(wanted, made):
            return CLEAN.replace("type:model", wanted).replace("type:report", made)

        ring = {"a.yaml": plan("k:a", "k:b"), "b.yaml": plan("k:b", "k:c"), "c.yaml": plan("k:c", "k:a")}
        code, answers = check(ring)
        assert code == 3
        assert [answer["rule"] for answer in answers.values()] == [None, None, "plan-cycle"]
        main(["check", *(str(tmp_path / name) for name in ring)])
        route = " -> ".join(str(tmp_path / name) for name in ("c.yaml", "a.yaml", "b.yaml", "c.yaml"))
        assert f"Data would go round: {route}\n" in capsys.readouterr().out

    def test_a_log_closes_a_ring_as_an_output_does(self, check_one):
        assert check_one(CLEAN.replace('"type:log"', '"type:model"'))["rule"] == "plan-cycle"

    def test_a_refused_plan_is_not_there_for_those_after_it(self, check):
        refused = CLEAN.replace("/in/model", "in")
        code, answers = check({"a.yaml": refused, "b.yaml": CLEAN})
        assert (code, answers["b.yaml"]["verdict"]) == (3, "valid")

    def test_registered_plans_count_but_are_not_checked_again(self, check, tmp_path):
        (tmp_path / "registered.yaml").write_text(CLEAN)
        _, answers = check({"plan.yaml": CLEAN}, "--registered", str(tmp_path / "registered.yaml"))
        assert list(answers) == ["plan.yaml"]
        assert answers["plan.yaml"]["rule"] == "plan-equivalent"


class TestWhatIsPrinted:
    def test_the_place_the_rule_and_knitfabs_words(self, tmp_path, capsys):
        file = tmp_path / "plan.yaml"
        file.write_text(with_lines("input: []").replace("/in/model", "model"))
        assert main(["check", str(file)]) == 3
        assert capsys.readouterr().out.splitlines() == [
            f"{file}:3: refused by the server with status 400 [path-not-clean]",
            f"  {RULES['path-not-clean'].meaning}",
            "  Knitfab: plan spec is invalid: bad mountpoint path (path = model) not absolute or not clean",
            f'{file}:10: warning: unknown key "input" is dropped; did you mean "inputs"? [unknown-key]',
        ]

    def test_a_valid_plan(self, tmp_path, capsys):
        (tmp_path / "plan.yaml").write_text(CLEAN)
        assert main(["check", str(tmp_path / "plan.yaml")]) == 0
        assert capsys.readouterr().out == f"{tmp_path / 'plan.yaml'}: valid\n"

    def test_a_plan_cannot_write_to_the_terminal(self, tmp_path, capsys):
        (tmp_path / "plan.yaml").write_text(with_input("/in", r'["\e[2Jmodel"]'))
        main(["check", str(tmp_path / "plan.yaml")])
        assert "\x1b" not in capsys.readouterr().out

    @pytest.mark.parametrize("content", [None, b"image: \xff\n"], ids=["absent", "not UTF-8"])
    def test_what_cannot_be_read_is_one_line_and_2(self, content, tmp_path, capsys):
        file = tmp_path / "plan.yaml"
        if content is not None:
            file.write_bytes(content)
        assert main(["check", str(file)]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert re.fullmatch(rf"error: cannot read {file}: .+\n", printed.err)

    def test_a_registered_plan_that_cannot_be(self, tmp_path, capsys):
        (tmp_path / "plan.yaml").write_text(CLEAN)
        (tmp_path / "old.yaml").write_text(with_output("out"))
        assert main(["check", str(tmp_path / "plan.yaml"), "--registered", str(tmp_path / "old.yaml")]) == 2
        assert f"{tmp_path / 'old.yaml'}:6: no registered Plan" in capsys.readouterr().err


def test_the_docs_list_every_rule_and_warning():
    text = (ROOT / "docs" / "plans.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (.+) \|$", text, re.MULTILINE)
    rules = [f"{rule.stage} | {rule.status or '-'} | {rule.meaning}" for rule in RULES.values()]
    assert rows == [*zip(RULES, rules, strict=True), *WARNINGS.items()]
