"""Speakers of a few lines, for tests of whatever lets several of them answer."""

from chejil.errors import ChejilError
from chejil.eval.chatting.speaker import Spoken


class Talker:
    """Says its words one by one; `turns` holds what it was asked, `log` (may be shared) who spoke when."""

    def __init__(self, name, words=("안녕", "하세요"), device="cpu", log=None, fails=None, gate=None):
        self.name, self.words, self.device, self.fails, self.gate = name, words, device, fails, gate
        self.log = [] if log is None else log
        self.turns, self.closed = [], 0

    def speak(self, messages, sampling):
        """See Speaker; then it raises `fails`, if there is any."""
        self.turns.append(list(messages))
        try:
            for word in self.words:
                if self.gate is not None:
                    assert self.gate.wait(20)
                self.log.append(self.name)
                yield word
            if self.fails is not None:
                raise self.fails
            yield Spoken("".join(self.words), "stop", 0.5, 1.5, 7, len(self.words))
        finally:
            self.closed += 1


DOWN = ChejilError("no answer: ConnectError", where="http://127.0.0.1:9/v1", mend="see whether it runs")
