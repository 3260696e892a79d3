"""``python -m plans graph``: every edge is there, and a name cannot draw another picture."""

import re
from itertools import product
from pathlib import Path

import pytest
import yaml

from plans.__main__ import main

NODE = re.compile(r'^    (\w+)(\[\[|\(\[|\[)"(.*)"(\]\]|\]\)|\])$')
EDGE = re.compile(r'^    (\w+) -\.?->\|"(.*)"\| (\w+)$')


def unescaped(text):
    return re.sub(r"#(\d+);", lambda match: chr(int(match[1])), text)


class Picture:
    """Nodes as sets of their lines, Data with its tags, and edges between them."""

    def __init__(self, text):
        first, *lines = text.splitlines()
        assert first == "flowchart LR"
        self.nodes = {}
        self.outside = set()
        self.edges = set()
        for line in lines:
            if node := NODE.match(line):
                label = frozenset(unescaped(part) for part in re.split("<br>|<b>|</b>", node[3]) if part)
                self.nodes[node[1]] = label
                if node[2] == "[[":
                    self.outside.add(label)
            else:
                source, label, target = EDGE.match(line).groups()
                self.edges.add((self.nodes.get(source, source), unescaped(label), self.nodes.get(target, target)))


@pytest.fixture
def draw(tmp_path, capsys):
    """Draw Plans, given by file name."""

    def run(plans):
        for name, plan in plans.items():
            (tmp_path / name).write_text(yaml.safe_dump(plan))
        assert main(["graph", *(str(tmp_path / name) for name in plans)]) == 0
        return capsys.readouterr().out

    return run


@pytest.fixture
def ours(tmp_path, capsys):
    main(["render", "--out", str(tmp_path / "plans")])
    capsys.readouterr()
    return {file.name: yaml.safe_load(file.read_text()) for file in sorted((tmp_path / "plans").iterdir())}


def plan(inputs, outputs, log=None):
    mounts = {
        kind: [{"path": path, "tags": tags} for path, tags in given.items()]
        for kind, given in (("inputs", inputs), ("outputs", outputs))
    }
    return {"image": "program:v1", **mounts} | ({"log": {"tags": log}} if log else {})


def expected_edges(plans):
    """Every edge, found the long way: each Data against each input."""
    left = [
        frozenset(holder["tags"])
        for plan in plans.values()
        for holder in (*plan["outputs"], *([plan["log"]] if "log" in plan else []))
    ]
    edges = set()
    for (name, plan), tags in product(plans.items(), left):
        node = frozenset({name, plan["image"]})
        for mount in plan["inputs"]:
            if tags >= set(mount["tags"]):
                edges.add((tags, mount["path"], node))
            elif not any(other >= set(mount["tags"]) for other in left):
                edges.add((frozenset(mount["tags"]), mount["path"], node))
        edges |= {(node, mount["path"], frozenset(mount["tags"])) for mount in plan["outputs"]}
        if "log" in plan:
            edges.add((node, "log", frozenset(plan["log"]["tags"])))
    return edges


def test_every_edge_of_our_plans_and_no_other(ours, draw):
    assert Picture(draw(ours)).edges == expected_edges(ours)


def test_data_comes_from_every_plan_that_leaves_it(draw):
    plans = {
        "a.yaml": plan({"/in": ["k:a"]}, {"/x": ["type:model", "by:a"], "/y": ["type:other"]}),
        "b.yaml": plan({"/in": ["k:b"]}, {"/x": ["type:model", "by:b"]}, log=["type:model"]),
        "c.yaml": plan({"/in/m": ["type:model"], "/in/a": ["by:a"]}, {}),
    }
    picture = Picture(draw(plans))
    assert picture.edges == expected_edges(plans)
    assert picture.outside == {frozenset({"k:a"}), frozenset({"k:b"})}


def test_an_input_that_asks_for_one_data_by_its_id_waits_for_no_plan(draw):
    plans = {
        "a.yaml": plan({"/in": ["k:a"]}, {"/out": ["type:model"]}),
        "b.yaml": plan({"/in": ["type:model", "knit#id:x"]}, {}),
    }
    assert frozenset({"type:model", "knit#id:x"}) in Picture(draw(plans)).outside


def test_the_same_plans_give_the_same_text(ours, draw, tmp_path):
    first = draw(ours)
    for holder in (*ours["train.yaml"]["inputs"], ours["train.yaml"]["log"]):
        holder["tags"].reverse()
    assert draw(ours) == first
    assert main(["graph", *(str(tmp_path / name) for name in ours), "--out", str(tmp_path / "graph.mmd")]) == 0
    assert (tmp_path / "graph.mmd").read_text() == first


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        "]] --> plan9",
        "a|b",
        "%%{init}%%",
        "`b` *c* #35;",
        "end",
        "日本語 👍",
        "\u202e&amp;",
    ],
)
def test_a_hostile_name_is_a_name(name, draw):
    plans = {"a.yaml": plan({f"/in/{name}": [f"k:{name}"]}, {"/out": ["k:b"]})}
    text = draw(plans)
    assert Picture(text).edges == expected_edges(plans)
    assert len(text.splitlines()) == 6
    assert not set("<>|[]()") & set(
        "".join(re.findall(r'"(.*?)"', text)).replace("<br>", "").replace("<b>", "").replace("</b>", "")
    )


def test_a_plan_that_would_be_refused_is_not_drawn(tmp_path, capsys):
    (tmp_path / "plan.yaml").write_text("image: program:v1\n")
    assert main(["graph", str(tmp_path / "plan.yaml")]) == 2
    assert "(no-inputs); `python -m plans check` tells more" in capsys.readouterr().err


def test_the_docs_show_the_picture_of_our_plans(ours, draw):
    docs = (Path(__file__).parents[2] / "docs" / "plans.md").read_text(encoding="utf-8")
    shown = docs.partition("```mermaid\n")[2].partition("```")[0]
    assert shown == draw({name: ours[name] for name in ("train.yaml", "evaluate.yaml", "gate.yaml")})
