"""The answers of a hosted model, kept: whole, once each, whatever happens in between."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator

import pytest

from fixtures.conversations.answers import read_answers
from fixtures.conversations.rows import rows_of
from fixtures.hosted_server import HostedServer, RequestFault
from tests.training.hosted.conftest import BASE, KEY, Desk, conversation, goes_wrong, read_json


def questions(desk: Desk) -> list[str]:
    return [body["messages"][-1]["content"] for body in desk.asked("POST", "/chat/completions")]


@pytest.fixture
def slow(tmp_path) -> Iterator[Desk]:
    """A service that takes its time to answer."""
    with HostedServer(key=KEY, pace=0.002, latency=0.2) as server:
        yield Desk(tmp_path, server)


def test_the_guides_validation_rows_are_recorded_as_evaluation_reads_them(tmp_path, shared_data):
    data = shared_data / "chat" / "support-ja-validation_data.jsonl"
    with HostedServer(key=KEY, pace=0.002, answers=[data], shutdown="2027-01-14") as server:
        desk = Desk(tmp_path, server)
        model = desk.model("--eval-file", data)

        run = desk.run("record", model, "--data", data, "--max-tokens", "500")
        again = desk.run("record", model, "--data", data, "--max-tokens", "500")

    assert run.code == 0, run.stderr
    folder = tmp_path / "out/recorded/support-ja-validation_data"
    rows = rows_of(data)
    answers = read_answers(folder, rows.rows, rows.rows)
    assert answers == {row.id: row.reference for row in rows.rows}
    record = read_json(folder / "record.json")
    assert record["asked"] == {
        "model": model,
        "base_url": server.url,
        "temperature": 0.0,
        "seed": 42,
        "max_completion_tokens": 500,
    }
    assert record["data"]["digest"] == rows.digest
    assert record["data"]["rows"] == 10
    assert record["system_fingerprints"] == {"fp_0ba0d124f1": 10}
    assert record["finish_reasons"] == {"stop": 10}
    assert record["tokens"]["completion"] > 0
    assert record["shutdown_date"] == "2027-01-14"
    assert record["job"]["fine_tuned_model"] == model
    assert "full_valid_loss" in record["checkpoints"][-1]["metrics"]
    assert record["versions"]["openai"]
    assert f"notice: {model} ends on 2027-01-14" in run.stdout
    assert "recorded before, nothing to ask" in again.stdout
    sent = desk.asked("POST", "/chat/completions")
    assert len(sent) == 10
    assert {(body["temperature"], body["seed"], body["max_completion_tokens"]) for body in sent} == {(0, 42, 500)}
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or KEY.encode() not in file.read_bytes()


def test_kill_9_loses_no_answer_and_none_is_asked_twice(slow):
    model, data = slow.model(), slow.conversations(24, "eval.jsonl")
    finished = slow.folder / "out/recorded/eval/finished.jsonl"
    running = slow.start("record", model, "--data", data, "--concurrency", "2")
    while not finished.exists() or finished.read_bytes().count(b"\n") < 6:
        time.sleep(0.02)
    running.kill()
    running.wait()
    kept = finished.read_bytes().count(b"\n") - 1
    with finished.open("ab") as file:
        file.write(b'{"id": "row-')

    run = slow.run("record", model, "--data", data, "--concurrency", "8")

    assert run.code == 0, run.stderr
    assert f"{kept} answers are there, going on" in run.stdout
    rows = rows_of(data).rows
    assert set(read_answers(finished.parent, rows, rows).values()) == {
        f"You asked: Question {n}?" for n in range(1, 25)
    }
    # What was under way when it was killed is asked again, and nothing else.
    assert len(questions(slow)) <= 24 + 2


def test_no_more_questions_at_a_time_than_allowed(slow):
    model, data = slow.model(), slow.conversations(12, "eval.jsonl")

    run = slow.run("record", model, "--data", data, "--concurrency", "3")

    assert run.code == 0, run.stderr
    assert slow.server.peak == 3


def test_ctrl_c_says_what_is_kept(slow):
    model, data = slow.model(), slow.conversations(24, "eval.jsonl")
    running = slow.start("record", model, "--data", data, "--concurrency", "2")
    finished = slow.folder / "out/recorded/eval/finished.jsonl"
    while not finished.exists() or finished.read_bytes().count(b"\n") < 4:
        time.sleep(0.02)

    os.kill(running.pid, signal.SIGINT)
    _, stderr = running.communicate(timeout=30)

    assert running.returncode == 130
    assert "Traceback" not in stderr
    assert f"of 24 answers to {data} are kept; the same command goes on" in stderr
    assert not (finished.parent / "record.json").exists()


def test_a_refused_row_is_named_and_the_others_are_kept(desk):
    model, data = desk.model(), desk.conversations(12, "eval.jsonl")
    fault = RequestFault(path="*/completions", skip=4, status=400, code="context_length_exceeded", message="Too long")
    goes_wrong(desk, fault)

    run = desk.run("record", model, "--data", data, "--concurrency", "1")
    again = desk.run("record", model, "--data", data)

    assert run.code == 2
    assert f"{data} line 5: 127.0.0.1 answered 400 context_length_exceeded: Too long (request" in run.error
    assert f"4 of 12 answers to {data} are kept; the same command goes on" in run.error
    assert again.code == 0, again.stderr
    assert len(questions(desk)) == 13


def test_a_service_that_stays_out_of_reach_exits_with_1(desk):
    model, data = desk.model(), desk.conversations(3, "eval.jsonl")
    goes_wrong(desk, RequestFault(path="*/completions", fault="reset", times=None))

    run = desk.run("record", model, "--data", data, "--max-retries", "1")

    assert run.code == 1
    assert f"0 of 3 answers to {data} are kept" in run.error
    assert not (desk.folder / "out/recorded/eval/answers.jsonl").exists()


def test_passing_faults_are_survived(desk):
    model, data = desk.model(), desk.conversations(8, "eval.jsonl")
    chat = "*/completions"
    goes_wrong(
        desk,
        RequestFault(path=chat, status=429, retry_after=0.1),
        RequestFault(path=chat, status=500),
        RequestFault(path=chat, fault="reset"),
        RequestFault(path=chat, fault="slow", seconds=5),
    )

    run = desk.run("record", model, "--data", data, "--timeout-seconds", "1")

    assert run.code == 0, run.stderr
    assert set(questions(desk)) == {f"Question {number}?" for number in range(1, 9)}


def test_other_settings_do_not_mix_with_what_is_there(desk):
    model, data = desk.model(), desk.conversations(3, "eval.jsonl")
    desk.run("record", model, "--data", data)

    folder = desk.folder / "out/recorded/eval"
    kept = {file.name: file.read_bytes() for file in folder.iterdir()}

    whole = desk.run("record", model, "--data", data, "--temperature", "0.7")
    (folder / "record.json").unlink()
    begun = desk.run("record", model, "--data", data, "--temperature", "0.7")

    assert whole.code == begun.code == 2
    assert "give another --save-to" in whole.error
    assert "holds answers to another recording; give another --save-to\n  temperature: 0.0 then, 0.7 now" in begun.error
    assert len(questions(desk)) == 3
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
        name: content for name, content in kept.items() if name != "record.json"
    }


def test_a_misspelt_model_leaves_nothing_that_stands_in_the_way(desk):
    model, data = desk.model(), desk.conversations(3, "eval.jsonl")
    misspelt = desk.run("record", model + "x", "--data", data)
    run = desk.run("record", model, "--data", data)

    assert (misspelt.code, "0 of 3 answers" in misspelt.error) == (2, True)
    assert run.code == 0, run.stderr
    assert desk.run("record", model, "--data", data).code == 0
    first = (desk.folder / "out/recorded/eval/finished.jsonl").read_text().splitlines()[0]
    assert json.loads(first)["asked"]["model"] == model


def test_answers_of_any_letters_survive_an_interruption(desk):
    odd = "a\u2028b\u0085c\x1cd\u2029e \U0001f600 \0"
    model = desk.model()
    rows = [conversation(number) for number in (1, 2)]
    rows[0]["messages"][0]["content"] = odd
    data = desk.write("eval.jsonl", rows)
    desk.run("record", model, "--data", data)
    (desk.folder / "out/recorded/eval/record.json").unlink()

    run = desk.run("record", model, "--data", data)

    assert run.code == 0, run.stderr
    found = rows_of(data).rows
    assert read_answers(desk.folder / "out/recorded/eval", found, found)[found[0].id] == f"You asked: {odd}"
    assert len(questions(desk)) == 2


def test_a_damaged_record_of_answers_is_told_and_kept(desk):
    model, data = desk.model(), desk.conversations(2, "eval.jsonl")
    desk.run("record", model, "--data", data)
    folder = desk.folder / "out/recorded/eval"
    (folder / "record.json").unlink()
    damaged = b"\xff" + (folder / "finished.jsonl").read_bytes()
    (folder / "finished.jsonl").write_bytes(damaged)

    run = desk.run("record", model, "--data", data)

    assert run.code == 2
    assert "finished.jsonl is damaged; move it away to record anew" in run.error
    assert (folder / "finished.jsonl").read_bytes() == damaged


def test_a_row_more_is_all_that_is_asked_when_the_data_grows(desk):
    model, data = desk.model(), desk.conversations(3, "eval.jsonl")
    desk.run("record", model, "--data", data)
    desk.conversations(4, "eval.jsonl")

    run = desk.run("record", model, "--data", data)

    assert run.code == 0, run.stderr
    assert questions(desk)[3:] == ["Question 4?"]
    rows = rows_of(data)
    assert len(read_answers(desk.folder / "out/recorded/eval", rows.rows, rows.rows)) == 4
    assert read_json(desk.folder / "out/recorded/eval/record.json")["data"]["digest"] == rows.digest


def test_several_files_get_a_folder_each_and_may_not_share_it(desk):
    model = desk.model()
    validation, golden = desk.conversations(3, "validation.jsonl"), desk.conversations(2, "golden.jsonl")
    (desk.folder / "other").mkdir()

    run = desk.run("record", model, "--data", validation, "--data", golden, "--save-to", "kept")
    clash = desk.run("record", model, "--data", golden, "--data", desk.folder / "other" / "golden.jsonl")

    assert run.code == 0, run.stderr
    assert [read_json(desk.folder / f"kept/{n}/record.json")["data"]["rows"] for n in ("validation", "golden")] == [
        3,
        2,
    ]
    assert clash.code == 2
    assert "two files are called golden" in clash.error


def test_filtered_cut_and_refused_answers_are_kept_and_told(desk):
    rows = [conversation(number) for number in range(4)]
    for row, mark in zip(rows, ("[filter]", "[long]", "[refuse]", "plain"), strict=True):
        row["messages"][0]["content"] = f"{mark} question"
    model, data = desk.model(), desk.write("eval.jsonl", rows)

    run = desk.run("record", model, "--data", data)

    assert run.code == 0, run.stderr
    assert "1 answer cut off at --max-tokens" in run.stdout
    assert "1 answer stopped by the service's content filter" in run.stdout
    assert "1 answer refused by the model" in run.stdout
    found = rows_of(data).rows
    answers = read_answers(desk.folder / "out/recorded/eval", found, found)
    assert [answers[row.id] for row in found] == [
        "",
        "You asked: [long] question",
        "I can't help with that.",
        "You asked: plain question",
    ]
    reasons = read_json(desk.folder / "out/recorded/eval/record.json")["finish_reasons"]
    assert reasons == {"content_filter": 1, "length": 1, "refusal": 1, "stop": 1}


def test_tool_calls_are_asked_and_recorded_as_references_have_them(tmp_path, shared_data):
    lines = (shared_data / "chat" / "drone-tool-calls.jsonl").read_text().splitlines()[:12]
    data = tmp_path / "drone.jsonl"
    data.write_text("\n".join(lines))
    with HostedServer(key=KEY, answers=[data]) as server:
        desk = Desk(tmp_path, server)
        run = desk.run("record", BASE, "--data", data)

    assert run.code == 0, run.stderr
    rows = rows_of(data).rows
    answers = read_answers(tmp_path / "out/recorded/drone", rows, rows)
    references = {row.id: json.loads(row.reference) for row in rows if row.reference.startswith("[")}
    assert references
    assert {name: json.loads(answers[name]) for name in references} == references


def test_a_conversation_with_calls_in_it_is_sent_as_the_api_wants_it(desk):
    call = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Oslo"}}}
    turns = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "tool_calls": [call], "weight": 0},
        {"role": "tool", "content": "rain"},
        {"role": "assistant", "content": "It rains."},
    ]
    model, data = desk.model(), desk.write("eval.jsonl", [{"messages": turns}])

    run = desk.run("record", model, "--data", data)

    assert run.code == 0, run.stderr
    assert desk.asked("POST", "/chat/completions")[0]["messages"] == [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
            ],
        },
        {"role": "tool", "content": "rain", "tool_call_id": "call_1"},
    ]


def test_a_checkpoint_is_recorded_with_the_job_it_is_of(desk):
    model = desk.model("--eval-file", desk.conversations(2, "validation.jsonl"))

    run = desk.run("record", f"{model}:ckpt-step-20", "--data", desk.conversations(2, "eval.jsonl"))

    assert run.code == 0, run.stderr
    record = read_json(desk.folder / "out/recorded/eval/record.json")
    assert record["job"]["fine_tuned_model"] == model
    assert record["answered_by"] == {f"{model}:ckpt-step-20": 2}


def test_a_model_of_no_known_job_is_recorded_all_the_same(desk):
    goes_wrong(desk, RequestFault(path="*/jobs", method="GET", status=403, code="missing_scope", times=None))

    run = desk.run("record", BASE, "--data", desk.conversations(2, "eval.jsonl"))

    assert run.code == 0, run.stderr
    assert "note: the job behind the model is not recorded: cannot list the jobs: 127.0.0.1 answered 403" in run.stdout
    assert read_json(desk.folder / "out/recorded/eval/record.json")["job"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ft:gone:x::1", "--data", "eval.jsonl"], "404 model_not_found: The model `ft:gone:x::1` does not exist"),
        (["ft:x"], "--data is missing"),
        (["ft:x", "--data", "absent.jsonl"], "cannot read absent.jsonl"),
        (["ft:x", "--data", "bad.jsonl"], "bad.jsonl: 1 row of 1 cannot be used"),
        ([BASE, "--data", "eval.jsonl", "--job", "ftjob-absent"], "cannot look at --job ftjob-absent"),
    ],
)
def test_mistakes_are_told_before_anything_is_paid_for(desk, arguments, message):
    desk.conversations(2, "eval.jsonl")
    desk.write("bad.jsonl", [{"messages": []}])

    run = desk.run("record", *arguments)

    assert run.code == 2
    assert message in run.error
