# Figures of a log with a line a request: {"status": 200, "seconds": 0.8, "request": {...}, "response": {...}},
# the last two as they went over the wire. jq -sf docs/serving/watch.jq log.jsonl
def share(condition): if length == 0 then null else (map(select(condition)) | length) / length end;
def quantile(q): sort | .[((length - 1) * q) | floor];

map(select(.status == 200)) as $answered
| [$answered[].response.choices[0]] as $choices
| [$answered[].response.usage] as $usage
| {
    requests: length,
    errors: share(.status != 200),
    seconds_median: [$answered[].seconds] | quantile(0.5),
    seconds_p95: [$answered[].seconds] | quantile(0.95),
    tokens_in_median: [$usage[].prompt_tokens] | quantile(0.5),
    tokens_in: [$usage[].prompt_tokens] | add,
    tokens_out: [$usage[].completion_tokens] | add,
    cut_off: $choices | share(.finish_reason == "length"),
    empty: $choices | share((.message.content // "") == ""),
    refused: $choices | share((.message.content // "") | test("^(I.m sorry|I can.t|I cannot|申し訳)"))
  }
