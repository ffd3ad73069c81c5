"""Pages that nobody wrote: notices of machine translation, pasted answers of a language model, templates that were
not filled in, error pages, redirects.

A notice does not make a page bad, and documentation speaks of 404 and of lorem ipsum all day: the count is for
rules of a recipe, and only the share judges, so that it drops a page that is little else. The highest real document,
a lesson on overflowing text, has 0.22. It finds what announces itself: fluent text of a model without a give-away
phrase is not seen by any list.
"""

from __future__ import annotations

from chejil.filters.prose import PROSE, both
from chejil.filters.registry import Bound, Signal, add_signal

# "What a 404 page says … 'page not found' should tell the reader where to go."
_DOCUMENTATION = both(
    "서버는 없는 주소를 받으면 404 Not Found를 돌려준다. 이때 “페이지를 찾을 수 없습니다”라고만 적지 말고, "
    "독자가 어디로 가면 되는지 함께 알려 주는 것이 좋다. 지도와 검색창을 두는 곳도 많다.",
    "A template engine replaces {{name}} by the name of the reader. If the page is not found, the server "
    "answers 404 Not Found, and a good error page says where to go next.",
)

add_signal(
    Signal(
        name="generated_marks",
        family="lexicons",
        unit="document",
        kind="count",
        about="Marks of machine translation, language models, empty templates, error pages and doorways.",
        source="Own; `lexicons/generated.yaml`. No bound: pages about such things have up to 40.",
        value=lambda counts: counts["generated_hits"],
        kept=PROSE,
        dropped=(),
    )
)
add_signal(
    Signal(
        name="generated_mark_share",
        family="lexicons",
        unit="char",
        kind="share",
        about="Visible characters within such marks.",
        source="Own. Above every real document (highest: 0.22); error pages have 0.3 and more.",
        value=lambda counts: counts.ratio("generated_chars", "word_chars"),
        kept=_DOCUMENTATION,
        # An error page: not found, may be moved or deleted, back home.
        dropped=both(
            "404 Not Found\n요청하신 페이지를 찾을 수 없습니다. 삭제되었거나 이동한 문서입니다. 홈으로 돌아가기",
            "404 Not Found. The page you requested was removed. Enable JavaScript to continue. Under construction",
        ),
        bounds={"ko": Bound(high=0.25), "en": Bound(high=0.25)},
    )
)
