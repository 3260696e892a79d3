"""What a user's mistake meets: one line, exit code 4, no traceback, no work done."""

import json

import pytest

from tests.evals.conftest import pairs


class TestMistakes:
    def mistake(self, evals, *options, **environment):
        run = evals.run(*options, **environment)
        assert run.exit_code == 4, run.output
        assert "Traceback" not in run.output
        return run.output

    def test_no_model(self, evals, monkeypatch):
        output = self.mistake(evals)
        assert "ERROR: no model at in/model: train one with `python -m training classify" in output

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({"num_sample": 3}, 'unknown key "num_sample"; did you mean "num_samples"?'),
            ({"threshold": 1.5}, '"threshold" is 1.5: must be less than or equal to 1'),
            ({"num-samples": "many"}, "\"num_samples\" is 'many': must be a valid integer"),
            ({"fail_on": "always"}, "\"fail_on\" is 'always': must be 'fail', 'inconclusive' or 'never'"),
        ],
    )
    def test_config_file(self, evals, config, message):
        path = evals.folder / "config.json"
        path.write_text(json.dumps(config))
        assert message in self.mistake(evals, "--eval-config-file", str(path))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--threshold", "2"], "--threshold is '2': must be less than or equal to 1"),
            (["--judge", "gpt"], '--judge: unknown judge "gpt"; the kinds are'),
            (["--judge", "nobody.here:Judge"], "--judge nobody.here:Judge: No module named 'nobody'"),
            (["--judge", "pathlib:Path"], "must be a subclass of deepeval.models.DeepEvalBaseLLM"),
            (["--taxonomy", "none.json"], "cannot read taxonomy none.json"),
            (["--remove", "header"], "header cannot be removed; allowed: headers, footers, quotes"),
        ],
    )
    def test_options(self, evals, options, message):
        assert message in self.mistake(evals, *evals.data(pairs(2, 2)), *options)

    def test_environment(self, evals):
        output = self.mistake(evals, *evals.data(pairs(2, 2)), EVALS_TRESHOLD="1")
        assert 'environment variable EVALS_TRESHOLD: unknown key "treshold"; did you mean "threshold"?' in output

    def test_policy_and_option(self, evals):
        policy = evals.folder / "policy.json"
        policy.write_text('{"min_pass_rate": 0.5}')
        options = [*evals.data(pairs(2, 2)), "--policy", str(policy), "--min-pass-rate", "0.6"]
        assert f"--min-pass-rate and policy file {policy} both set min_pass_rate" in self.mistake(evals, *options)

    def test_own_junit_path(self, evals):
        options = [*evals.data(pairs(2, 2)), "--junitxml", str(evals.out / "junit.xml")]
        assert "is where the evaluation's own JUnit report goes" in self.mistake(evals, *options)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda rows: rows[1:], "1 of 4 drawn samples have no prediction, e.g. "),
            (lambda rows: [*rows, rows[0]], "is predicted twice"),
            (lambda rows: [*rows, {"id": "x-1", "predicted": "a"}], 'test split has no sample "x-1"'),
            (lambda rows: [{**rows[0], "expected": "b"}, *rows[1:]], 'expects "b", but the data set says "sci.space"'),
            (lambda rows: [{**rows[0], "digest": "0"}, *rows[1:]], "was made for another text"),
            (lambda rows: [{**rows[0], "score": 2}, *rows[1:]], "score is 2; a number from 0 to 1 is needed"),
            (lambda rows: [{"id": rows[0]["id"]}, *rows[1:]], 'the strings "id" and "predicted" is needed'),
        ],
    )
    def test_predictions(self, evals, change, message):
        options = evals.data(pairs(2, 2))
        path = evals.folder / "predictions.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(row) + "\n" for row in change(rows)))
        assert message in self.mistake(evals, *options)

    def test_verdict_store_that_is_a_folder(self, evals):
        options = [*evals.data(pairs(2, 2)), "--verdict-store", str(evals.folder)]
        assert "verdict store" in self.mistake(evals, *options)
