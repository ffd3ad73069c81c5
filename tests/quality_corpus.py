"""A small corpus for quality classifiers: prose and advertising in both languages, and the models that it makes."""

import json
import random

from chejil.curation.quality.training import Training, train

# The council met …, children read …, the road was closed …; calm sentences in both registers.
KOREAN_PROSE = (
    "시의회는 어제 오후 항구 옆 회관에서 회의를 열었다.",
    "마을 뒤편의 도서관은 오래된 정미소를 고쳐서 만들었다.",
    "주민들이 집에 있던 책을 가져오면서 서가가 조금씩 채워졌습니다.",
    "아이들은 토요일마다 모여서 그림책을 읽는다.",
    "다리가 닫힌 동안 사람들은 먼 길을 돌아서 다녔습니다.",
    "새로운 시간표를 두고 두 시간 동안 이야기를 나누었다.",
    "예산이 부족하지만 안전이 먼저라고 그는 말했다.",
    "겨울에는 눈이 많이 내려서 길이 자주 막힌다.",
)
# Cheap! Free delivery today! Click now! Best price! Huge discount! Call us! Last chance! Gifts for everyone!
KOREAN_NOISE = (
    "싸다 싸다!!", "오늘만 무료배송!!", "지금 바로 클릭!!", "최저가 할인 이벤트!!", "대박 특가 찬스~~",
    "전화주세요 ㅋㅋㅋㅋ", "마지막 기회!!", "사은품 증정 ★★★",
)  # fmt: skip
ENGLISH_PROSE = (
    "The council met in the old hall beside the harbour.",
    "The road was closed for most of the spring, and the people took the long way.",
    "The library will be open on Sundays from the next month.",
    "Members talked for two hours about the timetable of the ferry.",
    "It was not in use for twenty years, and nobody was surprised.",
    "The mayor said that the safety of the children comes first.",
    "They have sold fruit on the market square for thirty years.",
    "After the meeting the people shared a pot of noodles and went home.",
)
ENGLISH_NOISE = (
    "CHEAP CHEAP!!", "Free shipping today only!!", "Click here now!!", "Buy more and save on all of it!!",
    "BEST PRICE of the year!!", "Call now for the deal!!", "Last chance to be the winner!!", "Gifts!! ★★★",
)  # fmt: skip


def write_side(path, sentences, documents=150, seed=1):
    """Documents of sentences in random order, as JSON lines with a `text` field."""
    rng = random.Random(f"{path.name}{seed}")
    texts = [" ".join(rng.choices(sentences, k=12)) for _ in range(documents)]
    path.write_text("".join(json.dumps({"text": t}, ensure_ascii=False) + "\n" for t in texts), "utf-8")


def write_corpus(folder):
    """Four files: ko-high.jsonl, ko-low.jsonl, en-high.jsonl, en-low.jsonl."""
    sides = {
        "ko-high": KOREAN_PROSE,
        "ko-low": KOREAN_NOISE,
        "en-high": ENGLISH_PROSE,
        "en-low": ENGLISH_NOISE,
    }
    for name, sentences in sides.items():
        write_side(folder / f"{name}.jsonl", sentences)
    return folder


def small_training(lang, **settings):
    """Settings that train in a second."""
    return Training(lang, **{"dim": 4, "held_out": 0.2, "kept_rows": 1000, "min_count": 1, **settings})


def train_small(folder, lang, out, progress=None, **settings):
    """Train on the corpus in a folder; returns the card."""
    paths = {side: [str(folder / f"{lang}-{side}.jsonl")] for side in ("high", "low")}
    return train(paths, small_training(lang, **settings), str(out), progress)


def small_models(folder):
    """Both models, by slot."""
    write_corpus(folder)
    cards = {lang: train_small(folder, lang, folder / lang) for lang in ("ko", "en")}
    return {card["slot"]: str(folder / lang / card["model"]["file"]) for lang, card in cards.items()}
