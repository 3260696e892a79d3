"""``--judge deepeval``: the model that DeepEval's settings name, over real HTTP."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.evals.conftest import pairs

PAIR = re.compile(r"Actual Output:\n(.*?) \n\nExpected Output:\n(.*?) \n\n", re.DOTALL)


class ChatCompletions(BaseHTTPRequestHandler):
    """Answers GEval's prompt as a small model behind Ollama's /v1 would."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, body))
        actual, expected = PAIR.search(json.dumps(body["messages"]).encode().decode("unicode_escape")).groups()
        answer = json.dumps({"reason": "compared", "score": 10 if actual == expected else 0})
        message = {"role": "assistant", "content": answer}
        reply = json.dumps(
            {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": body["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), ChatCompletions) as http:
        http.requests = []
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield http
        http.shutdown()


def test_a_local_model_judges(evals, server):
    run = evals.run_process(
        *("--judge", "deepeval"),
        pairs=pairs(57, 3),
        USE_LOCAL_MODEL="1",
        LOCAL_MODEL_NAME="llama3.2",
        LOCAL_MODEL_BASE_URL=f"http://127.0.0.1:{server.server_port}/v1/",
        LOCAL_MODEL_API_KEY="none",
        NO_PROXY="127.0.0.1",
    )
    assert run.exit_code == 0, run.output
    assert run.report["tally"] == {"passed": 57, "failed": 3, "unscored": 0}
    (member,) = run.report["judge"]["members"]
    assert (member["is_llm"], member["model"][:8]) == (True, "llama3.2")
    # The preflight and three distinct pairs.
    assert [path for path, _ in server.requests] == ["/v1/chat/completions"] * 4


def test_no_model_is_configured(evals):
    cleared = dict.fromkeys(("OPENAI_API_KEY", "USE_LOCAL_MODEL"), "")
    run = evals.run_process("--judge", "deepeval", pairs=pairs(2, 2), **cleared)
    assert run.exit_code == 4, run.output
    assert "--judge deepeval: DeepEval has no usable model configured" in run.output
    assert "Traceback" not in run.output
