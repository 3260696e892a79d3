"""A chat model in a folder: answers as the model gives them one by one, kept, and refused where it cannot be one."""

import json
import shutil

import pytest

from fixtures.contracts.errors import UserError
from fixtures.conversations.rows import rows_of
from tests.evals.candidates.conftest import texts
from tests.training.chat.conftest import make_model, turns, write_rows

torch = pytest.importorskip("torch")

from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM  # noqa: E402


def one_by_one(folder, rows, length):
    """The oracle: Transformers alone, without batches, padding or anything of ours."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    said = []
    for row in rows:
        prompt = tokenizer.apply_chat_template(
            list(row.messages), tools=list(row.tools or ()) or None, add_generation_prompt=True, return_tensors="pt"
        )
        answer = model.generate(**prompt, max_new_tokens=length, do_sample=False)[0, prompt["input_ids"].shape[1] :]
        said.append(tokenizer.decode(answer, skip_special_tokens=True))
    return said


@pytest.fixture(scope="module", params=["llama3.2", "qwen2", "gpt2"])
def folder(request, tmp_path_factory):
    folder = make_model(request.param, tmp_path_factory.mktemp(request.param))
    if request.param == "gpt2":
        template = "{{ tools }}{% for m in messages %}{{ m.role }}: {{ m.content }} {% endfor %}"
        (folder / "chat_template.jinja").write_text(template)
    else:
        # Their templates say much about tools; their positions are rotations, of which there are always enough.
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 1024}))
    return folder


def test_batches_answer_as_the_model_does_one_by_one(asked, folder, rows):
    answers = asked.answer(f"hf:{folder}", rows)

    assert texts(answers) == one_by_one(folder, rows, 12)
    assert len(set(texts(answers))) >= 3
    assert {answered.finish_reason for answered in answers} <= {"length", "stop"}
    assert all(answered.tokens_out == 12 for answered in answers if answered.finish_reason == "length")


def test_an_answer_ends_at_any_stop_token_of_the_folder(asked, llama, rows, tmp_path):
    folder = shutil.copytree(llama, tmp_path / "stops")
    (whole,) = asked.answer(f"hf:{folder}", rows[:1])
    tokenizer = AutoTokenizer.from_pretrained(folder)
    # Any token that it says, but not first.
    last = next(token for token in range(len(tokenizer)) if tokenizer.decode([token]) == whole.text[-7:])
    stops = [tokenizer.eos_token_id, last]
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": stops}))

    (cut,) = asked.answer(f"hf:{folder}", rows[:1])

    assert whole.finish_reason == "length"
    assert whole.text == cut.text + " Street" + whole.text[len(cut.text) + 7 :]
    assert (cut.finish_reason, cut.tokens_out) == ("stop", 4)


def test_what_was_answered_is_not_asked_again_and_other_settings_are(asked, llama, rows):
    rows = [row for row in rows if not row.tools]
    first = asked.answer(f"hf:{llama}", rows)
    # The copy is answered with its original, without work of its own.
    assert (asked.steps[0], sorted(asked.steps)[-1], sum(asked.steps)) == (0, 2, 9)

    assert asked.answer(f"hf:{llama}", rows) == first
    assert asked.steps == [9]
    asked.answer(f"hf:{llama}", rows, max_new_tokens=3)
    assert asked.steps[0] == 0


def test_samples_depend_on_their_seed_and_on_nothing_else(asked, llama, rows):
    drawn = asked.answer(f"hf:{llama}", rows, temperature=1.0)
    alone = asked.answer(f"hf:{llama}", rows[2:3], temperature=1.0, save_to=asked.folder / "alone")

    assert alone[0].text == drawn[2].text
    assert texts(asked.answer(f"hf:{llama}", rows, temperature=1.0, candidate_seed=1)) != texts(drawn)
    assert asked.steps[0] == 0


def test_sampling_draws_from_the_softmax():
    from evals.candidates.generation import Sampling

    logits = torch.tensor([2.0, 1.0, 0.0, -1.0])
    draw = Sampling(0.7, range(4000), torch.device("cpu"))
    counts = torch.bincount(draw(torch.zeros(0), logits.repeat(4000, 1)).argmax(-1), minlength=4) / 4000
    assert torch.allclose(counts, torch.softmax(logits / 0.7, 0), atol=0.025)


def test_a_prompt_that_is_too_long_is_an_error_of_its_row_alone(asked, llama, tmp_path):
    rows = rows_of(write_rows(tmp_path / "r.jsonl", [turns("Hello? " * 300, "Hi."), turns("Hello?", "Hi.")])).rows

    long, short = asked.answer(f"hf:{llama}", rows)

    assert long.text is None
    assert long.error is not None
    assert long.error.startswith("the prompt has ")
    assert long.error.endswith("tokens, and the model's context is 256")
    assert short.text
    # What could not be answered is tried again.
    asked.answer(f"hf:{llama}", rows)
    assert asked.steps[0] == 1


def test_the_end_of_the_context_ends_an_answer(asked, llama, tmp_path):
    rows = rows_of(write_rows(tmp_path / "r.jsonl", [turns("Hello? " * 40, "Hi."), turns("Hello?", "Hi.")])).rows

    long, short = asked.answer(f"hf:{llama}", rows, max_new_tokens=200)

    assert (long.finish_reason, long.tokens_in + long.tokens_out) == ("length", 256)
    assert short.tokens_out > long.tokens_out


@pytest.mark.parametrize("fits", [1, 4])
def test_a_batch_that_does_not_fit_into_memory_is_halved(asked, llama, rows, monkeypatch, fits):
    expected = texts(asked.answer(f"hf:{llama}", rows, save_to=asked.folder / "all"))
    generate = LlamaForCausalLM.generate

    def limited(self, ids, **how):
        if len(ids) > fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return generate(self, ids, **how)

    monkeypatch.setattr(LlamaForCausalLM, "generate", limited)
    assert texts(asked.answer(f"hf:{llama}", rows)) == expected


def test_one_prompt_that_does_not_fit_into_memory(asked, llama, rows, monkeypatch):
    def nothing_fits(self, ids, **how):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(LlamaForCausalLM, "generate", nothing_fits)
    answers = asked.answer(f"hf:{llama}", rows[:2])
    assert {answered.error for answered in answers} == {"the memory of cpu does not suffice for this one prompt"}


class TestRefused:
    def refused(self, asked, spec, **given):
        with pytest.raises(UserError) as caught:
            asked.open(spec, **given)
        return str(caught.value)

    def test_no_manifest(self, asked, llama):
        assert "has no manifest.json" in self.refused(asked, llama)
        assert asked.open(llama, allow_unmanifested=True).digest == asked.open(f"hf:{llama}").digest

    def test_an_adapter(self, asked, tmp_path):
        (tmp_path / "adapter_config.json").write_text("{}")
        assert "holds only an adapter: train with --save merged" in self.refused(asked, tmp_path)

    def test_no_model(self, asked, tmp_path):
        assert self.refused(asked, f"hf:{tmp_path}") == f"{tmp_path} has no config.json, so it holds no model"

    def test_no_template(self, asked, llama, tmp_path):
        folder = shutil.copytree(llama, tmp_path / "plain")
        (folder / "chat_template.jinja").unlink()
        assert "has no chat template" in self.refused(asked, f"hf:{folder}")

    def test_not_a_candidate(self, asked):
        message = self.refused(asked, "out/modle")
        assert message.startswith('candidate "out/modle": no such file or folder, nor another kind of candidate; the')
        assert "endpoint:MODEL@URL" in message

    def test_a_model_of_the_hub_that_is_not_here(self, asked, monkeypatch):
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        message = self.refused(asked, "hf:nobody/nothing")
        assert message.startswith("candidate hf:nobody/nothing: no such folder, and not from the hub either: ")

    def test_weights_that_are_missing(self, asked, llama, rows, tmp_path):
        from safetensors.torch import load_file, save_file

        folder = shutil.copytree(llama, tmp_path / "part")
        weights = load_file(folder / "model.safetensors")
        del weights["model.norm.weight"]
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
        with pytest.raises(UserError, match=r"1 of its weights are missing, model\.norm\.weight among them"):
            asked.answer(f"hf:{folder}", rows)
