"""A round whose models speak in the background, so that a click elsewhere on the page does not cut them off.

Streamlit ends the run that draws the page at every click. The round fills up all the same; whoever draws next sees
what came meanwhile. If nobody has looked for some seconds, the tab was closed, and the models are stopped.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import closing

from chejil.eval.chatting.speaker import Speaker
from chejil.eval.comparing import asking
from chejil.eval.comparing.rounds import Round

UNSEEN_SECONDS = 10.0
"""After which nobody is there: a page on a busy machine looks every second at least."""


class Listening:
    """Takes the answers of a round down."""

    def __init__(self, current: Round, speakers: Sequence[Speaker]) -> None:
        self.current = current
        self._speakers = speakers
        self._stopped = threading.Event()
        self._seen = time.monotonic()
        self._thread = threading.Thread(target=self._listen, daemon=True, name="listens")
        self._thread.start()

    def look(self) -> bool:
        """Whether more is to come; says, too, that somebody is there."""
        self._seen = time.monotonic()
        return not self.current.is_over

    def stop(self) -> None:
        """End all answers where they are."""
        self._stopped.set()
        self.current.stop()

    def _listen(self) -> None:
        current = self.current
        with closing(
            asking.ask(self._speakers, current.messages(), current.sampling, current.order)
        ) as events:
            for event in events:
                if self._stopped.is_set():
                    return
                if time.monotonic() - self._seen > UNSEEN_SECONDS:
                    self.stop()
                    return
                current.take(event)
