"""Plain prose in both languages, written for this project: it passes the default bounds of every signal.

Most signals show it as what they keep; a signal whose point needs another text has its own.
"""

from __future__ import annotations

from chejil.filters.registry import Language

# A small library in an old rice mill. Neighbours filled its shelves; on Saturdays children read there.
# "People gathered before the books did."
KOREAN = """\
마을 뒤편의 작은 도서관은 오래된 정미소를 고쳐서 만들었다. 처음에는 책이 삼백 권밖에 없었지만,
주민들이 집에 있던 책을 하나씩 가져오면서 서가가 조금씩 채워졌다.

요즘은 토요일마다 아이들이 모여서 그림책을 읽고, 어른들은 마당에서 차를 마시며 이야기를 나눈다.
도서관을 돌보는 분은 이렇게 말했다. “책보다 사람이 먼저 모이더라고요.”
"""

ENGLISH = """\
The bridge was closed for most of the spring, and the people who live on the far side of the river had to
take the long road through the hills. It added almost an hour to the way to work.

When the new deck opened in June, the first to cross were two farmers with a cart of strawberries. They have
sold fruit on the market square for thirty years, and nobody was surprised that they did not want to be late.
"""

Examples = tuple[tuple[Language, str], tuple[Language, str]]


def both(korean: str, english: str) -> Examples:
    """An example of each language, as a signal's `kept` and `dropped` hold them."""
    return ("ko", korean), ("en", english)


PROSE = both(KOREAN, ENGLISH)
