"""Real servers on this machine, with a real language model that is too small to judge anything.

They prove the wire, the ladder, the schema and the logprobs. What such a model says of a category means nothing.
"""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from evals.judges.base import Capabilities
from evals.judges.openai import LADDER
from evals.judges.wire import TOP_LOGPROBS
from fixtures.contracts.errors import UserError
from tests.evals.judge_bench import PAIRS, errors, scores
from tests.evals.real_servers import serving

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
# Base models have none; a server needs one to make a prompt of messages.
CHAT_TEMPLATE = "{% for message in messages %}{{ message.content }}\n{% endfor %}"
LLAMA_CPP = (
    'pip install -c constraints.txt "llama-cpp-python[server]==0.3.36" gguf (it compiles llama.cpp, about 13 minutes)'
)
BRIEF = {"judge_max_tokens": 24, "judge_timeout": 60}
BRIEF_OPTIONS = ["--judge-max-tokens", "24", "--answer-retries", "0"]


# -- servers -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkpoint(shared_data):
    folder = shared_data / "models" / "stories260K-hf"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return folder


@pytest.fixture(scope="module")
def chat_model(checkpoint, tmp_path_factory):
    """The checkpoint with a chat template."""
    folder = tmp_path_factory.mktemp("models") / "stories"
    folder.mkdir()
    for file in checkpoint.iterdir():
        shutil.copyfile(file, folder / file.name)
    config = folder / "tokenizer_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"chat_template": CHAT_TEMPLATE}))
    return folder


@pytest.fixture(scope="module")
def transformers_serve(chat_model, tmp_path_factory):
    for package in ("fastapi", "openai", "transformers", "uvicorn"):
        pytest.importorskip(package, reason=f"`transformers serve` needs {package}; pip install -e '.[test]'")
    command = ["transformers.cli.transformers", "serve", str(chat_model), "--device", "cpu"]
    with serving(command, tmp_path_factory.mktemp("transformers-serve"), "/health") as server:
        yield server


@pytest.fixture(scope="module")
def llama_cpp(checkpoint, tmp_path_factory):
    for package in ("llama_cpp", "gguf"):
        pytest.importorskip(package, reason=f"{package} is not installed; {LLAMA_CPP}")
    folder = tmp_path_factory.mktemp("llama-cpp")
    write_gguf(checkpoint, folder / "stories.gguf")
    # The tiny tokenizer makes some 1,500 tokens of GEval's prompt, and more when a bad answer is told.
    command = ["llama_cpp.server", "--model", str(folder / "stories.gguf"), "--model_alias", "stories"]
    with serving([*command, "--n_ctx", "8192", "--n_threads", "1"], folder, "/v1/models") as server:
        yield server


def write_gguf(checkpoint, file):
    """A Llama checkpoint in llama.cpp's format; its own converter is in no package."""
    import gguf
    from safetensors.numpy import load_file

    config = json.loads((checkpoint / "config.json").read_text())
    vocabulary = json.loads((checkpoint / "tokenizer.json").read_text())["model"]["vocab"]
    tokens = sorted(vocabulary, key=vocabulary.get)
    kinds = dict.fromkeys(tokens, gguf.TokenType.NORMAL) | {
        "<unk>": gguf.TokenType.UNKNOWN,
        "<s>": gguf.TokenType.CONTROL,
        "</s>": gguf.TokenType.CONTROL,
        **{f"<0x{byte:02X}>": gguf.TokenType.BYTE for byte in range(256)},
    }
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads["q_proj"])
    writer.add_head_count_kv(heads["k_proj"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    # Pieces are merged in the order in which they were learned.
    writer.add_token_scores([-float(number) for number in range(len(tokens))])
    writer.add_token_types([kinds[token] for token in tokens])
    writer.add_bos_token_id(vocabulary["<s>"])
    writer.add_eos_token_id(vocabulary["</s>"])
    writer.add_unk_token_id(vocabulary["<unk>"])
    writer.add_chat_template(CHAT_TEMPLATE)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    for name, tensor in load_file(checkpoint / "model.safetensors").items():
        count = heads.get(name.split(".")[-2])
        if count is not None:
            # llama.cpp rotates neighbouring values, Transformers the two halves of a head.
            halves = tensor.reshape(count, 2, -1, tensor.shape[1])
            tensor = halves.swapaxes(1, 2).reshape(tensor.shape).copy()
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def judge_command(*arguments):
    """``python -m evals judge``, as a user starts it, on a machine where nothing but this machine can be reached."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("EVALS_", "DEEPEVAL_"))}
    # Nobody listens there: who tries, says so on stderr.
    away = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9")
    return subprocess.run(
        [sys.executable, "-m", "evals", "judge", *arguments],
        cwd=ROOT,
        env=environment | away | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


# -- transformers serve: takes the schema and the logprobs, and ignores both ---------------


def test_a_server_that_ignores_what_it_takes_is_seen_through(bench, chat_model, transformers_serve):
    examined = bench.preflight(transformers_serve.spec(chat_model), **BRIEF)
    # The server names the folder's revision, too: that is no other model.
    assert examined.capabilities == Capabilities(
        model=f"{chat_model}@main",
        schema=None,
        logprobs=False,
        notes=(
            "JSON schema: accepted, but ignored",
            "JSON object with schema: accepted, but ignored",
            "tool call: accepted, but ignored",
            "answers are not held to a schema (JSON mode), only checked",
        ),
    )
    assert examined.answer is None
    assert bench.lines[-1].startswith("  warning: its answer to a known question is no verdict: it was cut off at ")


def test_stories_are_no_verdicts(bench, chat_model, transformers_serve):
    """Asked again a bounded number of times, then unscored, and the judge's own words are kept."""
    before = transformers_serve.questions()
    judging = bench.judge(transformers_serve.spec(chat_model), PAIRS[:2], answer_retries=2, **BRIEF)
    assert scores(judging) == [None, None]
    assert transformers_serve.questions() - before == judging.usage.calls == judging.usage.bad_answers == 6
    assert (judging.usage.tokens_out, judging.usage.tokens_estimated) == (6 * 24, False)
    assert all(error.startswith("malformed answer: it was cut off at --judge-max-tokens") for error in errors(judging))
    assert all(pair.verdict.raw.split() for pair in judging.verdicts.values())


def test_no_weighted_scores_without_logprobs(bench, chat_model, transformers_serve):
    spec = transformers_serve.spec(chat_model)
    with pytest.raises(UserError) as failure:
        bench.preflight(spec, score_mode="weighted", **BRIEF)
    assert str(failure.value) == f"--judge {spec} gives no logprobs, which --score-mode weighted needs; use raw"


def test_a_model_that_is_not_served(bench, chat_model, transformers_serve):
    with pytest.raises(UserError) as failure:
        bench.preflight(transformers_serve.spec("llama3.2"), **BRIEF)
    assert str(failure.value).endswith(
        f"answered 400 Bad Request: Server is pinned to '{chat_model}'; requested 'llama3.2'."
    )
    assert "\n" not in str(failure.value)


def test_judge_check_says_that_this_judge_cannot_judge(chat_model, transformers_serve):
    spec = transformers_serve.spec(chat_model)
    check = judge_command("check", spec, *BRIEF_OPTIONS)
    said = check.stdout.splitlines()
    assert said[0].startswith(f"judge {spec}: model {chat_model}@main answered in ")
    assert said[0].endswith(" s; no schema enforced; no logprobs")
    assert "  JSON schema: accepted, but ignored" in said
    assert said[-2] == f"{spec} was asked about the actual output sci.space, expected sci.space"
    assert said[-1].startswith("  answered: ")
    # DeepEval's telemetry is off, too.
    assert (check.returncode, check.stderr) == (1, "")


def test_judge_probe_counts_no_verdict_as_neither_held_nor_misled(chat_model, transformers_serve, tmp_path):
    store = tmp_path / "verdicts.sqlite"
    probe = judge_command("probe", transformers_serve.spec(chat_model), *BRIEF_OPTIONS, "--verdict-store", str(store))
    assert probe.stdout.splitlines()[-1] == (
        "0 of 17 probes misled it, 17 got no verdict; the same wrong answer without an attack: no verdict"
    )
    assert "│ fake verdict in a fence      │ -     │ unscored │" in probe.stdout
    assert probe.returncode == 1


def test_a_dry_run_asks_nobody_and_a_run_fails_nobody(evals, chat_model, transformers_serve):
    data = evals.data([("sci.space", "sci.space")] * 3 + [("rec.autos", "sci.space")])
    judge = ["--judge", transformers_serve.spec(chat_model), *BRIEF_OPTIONS]
    before = transformers_serve.questions()
    dry = evals.run_process(*data, *judge, "--dry-run", NO_PROXY="*")
    assert dry.exit_code == 0
    assert "dry run: 2 distinct judgements, 0 of them in the store; 2 calls, about " in dry.output
    assert transformers_serve.questions() == before

    run = evals.run(*data, *judge, NO_PROXY="*")
    assert run.exit_code == 1
    assert run.verdict["outcome"] == "incomplete"
    # The four steps of the ladder, then each distinct pair once.
    assert transformers_serve.questions() - before == len(LADDER) - 1 + 2
    assert run.report["tally"] == {"passed": 0, "failed": 0, "unscored": 4}
    assert all(sample["raw"].split() for sample in run.report["samples"])


# -- llama.cpp: enforces a schema in a form of its own, and gives logprobs -------------------


def test_llama_cpp_is_held_to_the_schema_on_the_second_rung(bench, llama_cpp):
    examined = bench.preflight(llama_cpp.spec("stories"), judge_timeout=60)
    assert examined.capabilities == Capabilities(
        model="stories", schema="JSON object with schema", logprobs=True, notes=("JSON schema: refused (500)",)
    )
    assert examined.answer is not None
    tokens = examined.reply.tokens
    assert "".join(token.text for token in tokens) == examined.reply.text
    assert all(TOP_LOGPROBS <= len(token.alternatives) <= TOP_LOGPROBS + 1 for token in tokens)
    assert all(0 < math.fsum(map(math.exp, token.alternatives.values())) < 1 + 1e-6 for token in tokens)


def test_every_answer_of_llama_cpp_is_a_verdict(bench, llama_cpp):
    judging = bench.judge(llama_cpp.spec("stories"), preflight=True, judge_timeout=60)
    assert errors(judging) == [None] * len(PAIRS)
    assert all(score in [number / 10 for number in range(11)] for score in scores(judging))
    assert (judging.usage.calls, judging.usage.bad_answers) == (len(PAIRS), 0)


def test_scores_of_llama_cpp_can_be_weighted(bench, llama_cpp):
    judging = bench.judge(llama_cpp.spec("stories"), preflight=True, judge_timeout=60, score_mode="weighted")
    # An answer without logprobs, or with others than its text's, would be a bad one.
    assert (judging.usage.calls, judging.usage.bad_answers) == (len(PAIRS), 0)
    assert all(0 <= score <= 1 for score in scores(judging))


def test_judge_check_of_llama_cpp(llama_cpp):
    check = judge_command("check", llama_cpp.spec("stories"))
    said = check.stdout.splitlines()
    assert said[0].endswith(" s; answers held to the schema by JSON object with schema; logprobs")
    assert said[1] == "  JSON schema: refused (500)"
    assert said[-1].startswith("  read as: score ")
    assert (check.returncode, check.stderr) == (0, "")
