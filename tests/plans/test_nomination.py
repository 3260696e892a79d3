"""Which Runs Knitfab starts: by rules, and by the figures that the real one gave."""

import re
from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plans.knitfab.nomination import Data, due, fits, nominate
from plans.knitfab.spec import Mount, PlanSpec, Tag


def tags(*texts):
    return frozenset(map(Tag.parse, texts))


def plan(inputs, output=()):
    mounts = tuple(Mount(path, tags(*wanted)) for path, wanted in inputs.items())
    return PlanSpec("image:v1", inputs=mounts, outputs=(Mount("/out", tags(*output)),))


class TestFits:
    DATA = Data("d1", tags("type:model", "name:a"), datetime(2026, 11, 20, 10, tzinfo=UTC))

    @pytest.mark.parametrize(
        ("wanted", "taken"),
        [
            (["type:model"], True),
            (["type:model", "name:a"], True),
            (["type:model", "name:b"], False),
            (["type:config"], False),
            (["knit#id:d1"], True),
            (["knit#id:d1", "type:model"], True),
            (["knit#id:d1", "type:config"], False),
            (["knit#id:d2", "type:model"], False),
            (["knit#timestamp:2026-11-20T10:00:00.000+00:00"], True),
            (["knit#timestamp:2026-11-20T19:00:00+09:00", "name:a"], True),
            (["knit#timestamp:2026-11-20T10:00:00.17+00:00"], False),
        ],
    )
    def test_all_tags_of_an_input_are_carried(self, wanted, taken):
        assert fits(self.DATA, Mount("/in", tags(*wanted))) is taken

    @pytest.mark.parametrize("transient", ["processing", "failed"])
    def test_unfinished_data_is_never_taken(self, transient):
        assert not fits(self.DATA._replace(transient=transient), Mount("/in", tags("type:model")))

    def test_data_without_a_timestamp_matches_none(self):
        mount = Mount("/in", tags("knit#timestamp:2026-11-20T10:00:00+00:00"))
        assert not fits(self.DATA._replace(timestamp=None), mount)


class TestCombinations:
    def test_two_inputs_may_take_the_same_data(self):
        both = plan({"/a": ["type:x"], "/b": ["type:x"]})
        data = [Data(name, tags("type:x")) for name in ("d1", "d2")]
        assert [tuple(inputs.values()) for inputs in nominate(both, data)] == list(product(("d1", "d2"), repeat=2))

    def test_no_data_at_one_input_is_no_run(self):
        assert list(nominate(plan({"/a": ["type:x"], "/b": ["type:y"]}), [Data("d1", tags("type:x"))])) == []

    @given(st.integers(0, 4), st.integers(0, 4), st.data())
    def test_each_combination_is_run_once_however_data_arrives(self, configs, models, choice):
        spec = plan({"/configs": ["type:config"], "/in": ["type:model"]})
        data = [Data(f"c{n}", tags("type:config")) for n in range(configs)]
        data += [Data(f"m{n}", tags("type:model")) for n in range(models)]
        started = []
        for count in range(len(data) + 1):
            arrived = choice.draw(st.permutations(data))[:count] if count < len(data) else data
            started += due(spec, arrived, started)
        assert len(started) == configs * models == len({tuple(inputs.values()) for inputs in started})


class World:
    """A Knitfab where each Run ends at once: done, unless its Plan is among `failing`."""

    def __init__(self):
        self.plans = []
        self.data = []
        self.runs = []
        self.failing = set()

    def push(self, *texts, transient=None):
        data = Data(f"d{len(self.data)}", tags(*texts), transient=transient)
        self.data.append(data)
        return data.id

    def tag(self, knit_id, *texts):
        self.data = [data._replace(tags=data.tags | tags(*texts)) if data.id == knit_id else data for data in self.data]

    def apply(self, inputs, *output, fails=None):
        """A Plan; Runs for whose inputs `fails` is true end as failed."""
        self.plans.append((plan(inputs, output), fails or (lambda inputs: False)))
        return len(self.plans) - 1

    def go(self):
        """Run until nothing is due."""
        while found := next(self._due(), None):
            number, inputs = found
            spec, fails = self.plans[number]
            status = "failed" if fails(inputs) else "done"
            made = self.push(*map(str, spec.outputs[0].tags), transient="failed" if status == "failed" else None)
            self.runs.append((number, inputs, status, made))
        return self

    def _due(self):
        for number, (spec, _) in enumerate(self.plans):
            known = [inputs for other, inputs, *_ in self.runs if other == number]
            yield from ((number, inputs) for inputs in due(spec, self.data, known))

    def of(self, number):
        return [run for run in self.runs if run[0] == number]


@pytest.fixture
def recorded(shared_data):
    """Numbers that stand after a text in a recording."""
    folder = shared_data / "knitfab" / "transcripts"

    def recorded(file, text):
        return [int(number) for number in re.findall(rf"{text}[^:\n]*: (\d+)", (folder / file).read_text())]

    return recorded


def test_two_configs_make_two_models_and_four_evaluations(recorded):
    world = World()
    train = world.apply({"/configs": ["type:config"]}, "type:model")
    evaluate = world.apply({"/configs": ["type:config"], "/in": ["type:model"]}, "type:metrics")
    world.push("type:config")
    world.go().push("type:config")
    world.go()
    assert [len(world.of(train))] == recorded("scenario.out", "train runs")
    assert [len(world.of(evaluate))] == recorded("scenario.out", "evaluate runs")


class TestShards:
    def test_parts_of_different_models_are_mixed(self, recorded):
        world = World()
        shards = [world.apply({"/in": ["type:model"]}, "type:part", f"shard:{n}") for n in range(2)]
        merge = world.apply({f"/in{n}": ["type:part", f"shard:{n}"] for n in range(2)})
        for _ in range(2):
            world.push("type:model")
        world.go()
        assert sum(len(world.of(shard)) for shard in shards) == recorded("shard.out", "shard runs")[0]
        assert len(world.of(merge)) == recorded("shard.out", "merge runs")[0]

    def test_pinned_by_the_id_of_the_model_they_are_not(self, recorded):
        world, merges = World(), []
        for campaign in range(2):
            model, label = world.push("type:model"), f"campaign:{campaign}"
            for n in range(2):
                world.apply({"/in": [f"knit#id:{model}"]}, "type:part", f"shard:{n}", label)
            merges.append(world.apply({f"/in{n}": ["type:part", f"shard:{n}", label] for n in range(2)}))
        world.go()
        assert sum(len(world.of(merge)) for merge in merges) == recorded("shard.out", "merge runs")[1]

    def test_nothing_is_merged_while_a_shard_has_failed(self, recorded):
        world, broken = World(), {3}
        specs = [world.push("type:shard", f"shard:{n}") for n in range(4)]
        shard = world.apply(
            {"/shard": ["type:shard"]}, "type:part", fails=lambda inputs: specs.index(inputs["/shard"]) in broken
        )
        merge = world.apply({f"/in{n}": ["type:part", f"part:{n}"] for n in range(4)})
        world.go()
        for _, inputs, _, made in world.of(shard):
            world.tag(made, f"part:{specs.index(inputs['/shard'])}")
        with_failure = len(world.go().of(merge))
        # What a retried Run writes is other Data than what it wrote before.
        world.push("type:part", "part:3")
        assert recorded("shard.out", "merge runs with one failed shard") == [with_failure]
        assert recorded("shard.out", "merge runs after retry") == [len(world.go().of(merge))]


def test_a_stricter_policy_gates_every_old_report(shared_data):
    world = World()
    gate = world.apply(
        {"/in": ["type:report"], "/policy": ["type:gate-policy"]},
        "gate:passed",
        fails=lambda inputs: inputs["/in"] == bad,
    )
    promote = world.apply({"/in": ["gate:passed"]})
    good, bad = world.push("type:report"), world.push("type:report")
    world.push("type:gate-policy")
    world.go()
    assert sorted(status for _, _, status, _ in world.of(gate)) == ["done", "failed"]
    promoted = len(world.of(promote))
    before = len(world.of(gate))
    world.push("type:gate-policy")
    regated = len(world.go().of(gate)) - before
    text = (shared_data / "knitfab" / "transcripts" / "gate.out").read_text()
    assert f"promote runs: {promoted}\n" in text
    assert f"regate every old report:\n{regated}\n" in text
    assert {inputs["/in"] for _, inputs, *_ in world.of(gate)} == {good, bad}
