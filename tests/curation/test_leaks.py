"""Evidence: what is a leak, and what is an idiom, a common sentence, a training item."""

import unicodedata

import numpy as np
import polars as pl
import pytest

from chejil.curation.decontamination.alignment import matches
from chejil.curation.decontamination.decontaminate import told_apart
from chejil.curation.decontamination.evaluation_index import build
from chejil.curation.decontamination.leaks import Evidence, judged
from chejil.filters.buffers import TextBuffers

# Long: a passage and a question about it. "The keeper of the lighthouse counts the waves …" / "Does he count ships?"
PASSAGE = (
    "등대지기는 저녁마다 파도를 세어 초록색 공책에 그 수를 적는다. "
    "겨울에는 손이 시려 장갑을 낀 채로 적는다고 한다."
)
QUESTION = "등대지기는 배를 세는가?"
# COPA: "The bicycle chain came off." / cause / "He rode over a stone." / "He oiled the chain."
COPA = ["자전거 체인이 빠졌다.", "원인", "돌을 밟고 넘어갔다.", "체인에 기름을 쳤다."]
SENTIMENT = ["손잡이가 헐거워서 아쉬워요"]  # a comment on a product: "a pity that the handle is loose"
IDIOM = ["낙숫물이 댓돌을 뚫는다"]  # "dripping water wears the stone away"
ENGLISH = ["does the night ferry carry bicycles in winter?"]
CHOICES = [
    "Which bird dives from the greatest height?",
    "gannet",
    "house sparrow",
    "barn owl",
    "common starling",
]
TRAINING = ["손잡이가 튼튼해서 좋아요"]  # "good that the handle is sturdy"
ITEMS = [[PASSAGE, QUESTION], COPA, SENTIMENT, IDIOM, ENGLISH, CHOICES, TRAINING]

HOST = (
    "시장은 새벽에 문을 연다.\n생선 장수들이 먼저 온다.",  # "The market opens at dawn. The fishmongers come first."
    "점심때가 되면 조용해진다.\n고양이만 남는다.",  # "At noon it gets quiet. Only the cats stay."
)


def leaks(*documents, items=ITEMS, **evidence):
    """Items found in each document."""
    texts = TextBuffers.of([unicodedata.normalize("NFC", document) for document in documents])
    index = build(items)
    is_training = np.array([item is TRAINING for item in items])
    found = judged(matches(texts, index), index.item_weights, is_training, Evidence(**evidence))
    return [set(found.filter(pl.col("doc") == doc)["item"].to_list()) for doc in range(len(documents))]


def planted(text):
    return f"{HOST[0]}\n{text}\n{HOST[1]}"


COPA_TEXT = f"{COPA[0]} 원인: {COPA[2]} / {COPA[3]}"
MCQ = f"{CHOICES[0]}\n\nAnswer1: gannet Answer2: house sparrow Answer3: barn owl Answer4: common starling"


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (0, f"{PASSAGE}\n{QUESTION}"),
        (0, PASSAGE),
        (0, PASSAGE.replace(" ", "")),
        (0, PASSAGE.replace("초록색", "낡은")),  # green -> old
        (
            0,
            PASSAGE.replace("파도를", "파도만").replace("손이", "손은").replace("장갑을", "장갑"),
        ),  # particles
        (0, unicodedata.normalize("NFD", PASSAGE)),
        (0, f"옛날 기록에 따르면 {PASSAGE} 그래서 유명하다."),  # within a line
        (1, COPA_TEXT),
        (1, COPA[0]),
        (1, COPA_TEXT.replace("돌을", "못을")),  # stone -> nail
        (1, f"그가 말했다. {COPA_TEXT} 이상하다."),  # inline, but premise and alternatives together
        (2, SENTIMENT[0]),
        (2, "손 잡이가 헐거워서, 아쉬워 요!!"),
        (2, f"3. {SENTIMENT[0]}"),
        (2, f"{SENTIMENT[0]}\t0"),
        (2, '{"text": "' + SENTIMENT[0] + '", "label": 0}'),
        (2, "손잡이는 헐거워서 아쉬워요"),  # a particle
        (3, IDIOM[0]),
        (4, ENGLISH[0]),
        (4, "DOES THE NIGHT FERRY CARRY BICYCLES IN WINTER"),
        (4, "does the night-ferry carry bicycles\nin winter?"),
        (5, MCQ),
        (5, CHOICES[0]),
    ],
)
def test_planted_items_are_found(item, text):
    """Whole or in part, spaced, punctuated, cased and decomposed otherwise, with a word or a particle changed."""
    assert leaks(planted(text)) == [{item}]


@pytest.mark.parametrize(
    "text",
    [
        f"할머니는 늘 “{IDIOM[0]}”고 말씀하셨다.",  # an idiom that someone quotes
        f"{HOST[0]} {IDIOM[0]}. {HOST[1]}".replace("\n", " "),  # a common sentence among others
        TRAINING[0],
        "손잡이가 헐거워요",  # "the handle is loose": half of the item
        "자전거 체인이 끊어졌다",  # "the chain broke": another sentence
        "common starling",  # an alternative alone
        "Which bird is the largest of all?",  # the frame of a question
        "does the night train carry passengers in winter?",
        "원인",  # a label of many items
        "",
    ],
)
def test_other_texts_are_not(text):
    """Idioms in a sentence, training items, halves, frames, alternatives."""
    assert leaks(planted(text)) == [set()]


def test_a_training_item_explains_what_resembles_an_evaluation_item():
    """The same sentence with another ending stands in the training split: there it is no leak."""
    changed = [SENTIMENT[0].replace("헐거워서", "헐거워")]
    texts = TextBuffers.of([planted(changed[0]), planted(SENTIMENT[0])])
    index = build([SENTIMENT, changed])
    for is_training, wanted in [([False, True], [1]), ([False, False], [0, 0, 1, 1])]:
        found = judged(matches(texts, index), index.item_weights, np.array(is_training), Evidence())
        assert found["doc"].to_list() == wanted


def test_what_stands_in_both_splits_is_a_leak():
    """It is an evaluation text, wherever else it stands."""
    index = build([SENTIMENT, SENTIMENT])
    found = judged(
        matches(TextBuffers.of([planted(SENTIMENT[0])]), index),
        index.item_weights,
        np.array([False, True]),
        Evidence(),
    )

    assert found["item"].to_list() == [0]


def test_the_bounds_are_settings():
    """A larger least weight lets a short item pass; a larger share lets most of a passage pass."""
    assert leaks(planted(SENTIMENT[0]), short_weight=20) == [set()]
    most = PASSAGE[: len(PASSAGE) * 8 // 10]
    assert leaks(planted(most)) == [{0}]
    assert leaks(planted(most), share=0.9, short_share=0.9) == [set()]


def hits(rows):
    """FOUND_HITS as far as they matter: document, item, evidence."""
    columns = {"row": pl.Int32, "item": pl.String, "evidence": pl.String}
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        shard=pl.lit("s"), task=pl.lit("t"), field=0, alive=pl.col("row") < 100
    )


def test_a_short_text_in_many_documents_is_common():
    """Three documents are more than two; what is long stays a leak, and dropped documents do not count."""
    rows = [(n, "a", "short") for n in range(3)] + [(n, "b", "long") for n in range(3)]
    rows += [(0, "c", "short"), (1, "c", "short"), (100, "c", "short"), (101, "c", "short")]

    found = told_apart(hits(rows), Evidence(max_documents=2))

    kinds = dict(found.group_by("item").agg(pl.col("evidence").unique()).iter_rows())
    assert kinds == {"a": ["common"], "b": ["long"], "c": ["short"]}


def test_a_copy_of_the_set_is_a_leak_however_common_its_sentences_are():
    """Five items of a task in a document: the set itself; its copies do not make a sentence common."""
    copies = [(doc, f"i{n}", "short") for doc in range(4) for n in range(5)]
    found = told_apart(hits([*copies, (9, "i0", "short")]), Evidence(max_documents=2))

    assert set(found["evidence"]) == {"short"}


def test_the_order_of_hits_changes_nothing():
    """Evidence is counted, not met first."""
    rows = [(n % 7, f"i{n % 3}", "short") for n in range(20)]
    one = told_apart(hits(rows), Evidence(max_documents=3))
    other = told_apart(hits(rows[::-1]), Evidence(max_documents=3))

    assert sorted(one.select("row", "item", "evidence").rows()) == sorted(
        other.select("row", "item", "evidence").rows()
    )
