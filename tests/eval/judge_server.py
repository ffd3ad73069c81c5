"""An OpenAI-compatible endpoint on this machine that misbehaves as it is told: a list of steps, then good replies."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SIX = ("accuracy", "robustness", "fairness", "bias", "toxicity", "efficiency")


def verdict(score=4, names=SIX):
    return json.dumps({name: {"explanation": "Fine.", "score": score} for name in names})


class JudgeServer:
    """`steps` are taken by the first requests, one each; then `reply(body)` makes the text of a good reply.

    A step is a status, (status, headers), a text to reply with, or one of: cut, slow, garbage, empty, drip.
    """

    def __init__(self, steps=(), reply=lambda body: verdict()):
        self.steps, self.reply = list(steps), reply
        self.bodies, self.keys, self.times = [], [], []
        self.lock = threading.Lock()
        self.now = self.most = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                server._answer(self)

            def log_message(self, *arguments):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def _answer(self, call):
        body = json.loads(call.rfile.read(int(call.headers["Content-Length"])))
        with self.lock:
            self.bodies.append(body)
            self.keys.append(call.headers.get("Authorization"))
            self.times.append(time.monotonic())
            step = self.steps.pop(0) if self.steps else None
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            self._take(call, step, body)
        finally:
            with self.lock:
                self.now -= 1

    def _take(self, call, step, body):
        if step == "cut":
            call.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{")
            call.close_connection = True
        elif step == "slow":
            time.sleep(1.0)
        elif step == "drip":
            call.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
            for _ in range(15):
                time.sleep(0.1)
                call.wfile.write(b" ")
                call.wfile.flush()
        elif step == "garbage":
            self._send(call, 200, b"<html>gateway</html>")
        elif step == "empty":
            self._send(call, 200, b'{"choices": []}')
        elif isinstance(step, int):
            self._send(call, step, json.dumps({"error": {"message": f"no: {self.keys[-1]}"}}).encode())
        elif isinstance(step, tuple):
            self._send(call, step[0], b'{"error": "wait"}', step[1])
        else:
            self._good(call, step if step is not None else self.reply(body))

    def _good(self, call, text):
        content = {
            "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10},
        }
        self._send(call, 200, json.dumps(content).encode())

    def _send(self, call, status, content, headers=()):
        call.send_response(status)
        for name, value in dict(headers).items():
            call.send_header(name, value)
        call.send_header("Content-Length", str(len(content)))
        call.end_headers()
        call.wfile.write(content)
