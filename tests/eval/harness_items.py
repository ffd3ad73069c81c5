"""Items of our own for each task of the harness: as the hub has them, and written as their authors write them."""

import json

YES_NO = {0: "False", 1: "TRUE"}

# The ferry goes at nine. Does it go in the morning? … / The library is closed on Mondays. …
KOBEST_BOOLQ = [
    {"paragraph": "여객선은 아침 아홉 시에 떠난다.", "question": "여객선은 아침에 떠나나요?", "label": 1},
    {"paragraph": "도서관은 월요일에 쉰다. ", "question": "도서관은 월요일에 여나요?", "label": 0},
    {"paragraph": "등대는 섬의 북쪽에 있다.", "question": "등대는 섬의 남쪽에 있나요?", "label": 0},
    {"paragraph": "시장에서는 생선과 소금을 판다.", "question": "시장에서 소금을 파나요?", "label": 1},
]
# It rained. result: He took an umbrella / He watered the flowers. … cause …
KOBEST_COPA = [
    {"premise": "비가 왔다.", "question": "결과", "alternative_1": "우산을 썼다.",
     "alternative_2": "꽃에 물을 주었다.", "label": 0},
    {"premise": "배가 늦게 떠났다.", "question": "원인", "alternative_1": "날씨가 맑았다.",
     "alternative_2": "안개가 짙었다.", "label": 1},
    {"premise": "불을 껐다. ", "question": "결과", "alternative_1": "방이 밝아졌다.",
     "alternative_2": "방이 어두워졌다.", "label": 1},
]  # fmt: skip
# She opens the shop. She sweeps the floor. … four endings, one in quotation marks
KOBEST_HELLASWAG = [
    {"context": "가게 문을 연다. 바닥을 쓴다.", "ending_1": "불을 켜고 손님을 기다린다.",
     "ending_2": '"안녕"이라고 달에게 쓴다.', "ending_3": "바다로 뛰어든다.", "ending_4": "지붕을 뜯는다.", "label": 0},
    {"context": "국수를 끓인다. 그릇을 꺼낸다.", "ending_1": "그릇을 던진다.", "ending_2": "창문을 판다.",
     "ending_3": "국수를 담는다.", "ending_4": "신발을 신는다.", "label": 2},
]  # fmt: skip
# The soup is warm and good. / The room was cold. / I would not come again.
KOBEST_SENTINEG = [
    {"sentence": "국물이 따뜻하고 좋아요", "label": 1},
    {"sentence": "방이 추웠어요 ", "label": 0},
    {"sentence": "다시는 안 올 것 같아요", "label": 0},
]
# 배: a ship, a pear; 눈: snow, an eye
KOBEST_WIC = [
    {"word": "배", "context_1": "[배]가 항구를 떠난다.", "context_2": "[배]를 깎아 먹었다. ", "label": 0},
    {"word": "배", "context_1": "[배]를 타고 갔다.", "context_2": "[배]가 섬에 닿았다.", "label": 1},
    {"word": "눈", "context_1": "[눈]이 펑펑 내린다.", "context_2": "[눈]을 감았다.", "label": 0},
]
_INFERENCES = [
    ("The ferry left at nine.", "The ferry left in the morning or the evening.", 0),
    ("The hall was empty.", "Many people sat in the hall.", 2),
    ("The baker sold bread.", "The baker was tired.", 1),
]
ANLI = [{"premise": one, "hypothesis": two, "label": label} for one, two, label in _INFERENCES]
ARC = [
    {"question": "What falls from clouds?", "choices": {"text": ["rain", "sand", "bread", "wool"],
     "label": ["A", "B", "C", "D"]}, "answerKey": "A"},
    {"question": "Which one swims?", "choices": {"text": ["a stone wall", "a fish", "a lamp"],
     "label": ["A", "B", "C"]}, "answerKey": "B"},
]  # fmt: skip
BOOLQ = [
    {
        "passage": "Ferry -- The ferry goes twice a day.",
        "question": "does the ferry go twice a day",
        "label": 1,
    },
    {"passage": "Lighthouse -- It was never lit.", "question": "was the lighthouse lit", "label": 0},
]
HELLASWAG = [
    {"activity_label": "Baking bread", "ctx_a": "A man kneads dough.", "ctx_b": "he", "label": "1",
     "endings": ["throws it at the moon.", "puts it into the oven [substeps] and waits.", "sings.", "swims home."]},
    {"activity_label": "Sailing", "ctx_a": "[header] How to sail [title] Take the rope.", "ctx_b": "",
     "endings": ["Eat it.", "Pull the sail up.", "Paint the sea.", "Sleep."], "label": "1"},
]  # fmt: skip
OPENBOOKQA = [
    {"question_stem": "A lamp gives", "choices": {"text": ["light", "water", "bread", "songs"],
     "label": ["A", "B", "C", "D"]}, "answerKey": "A"},
    {"question_stem": "Ice is made of", "choices": {"text": ["wool", "wood", "water", "words"],
     "label": ["A", "B", "C", "D"]}, "answerKey": "C"},
]  # fmt: skip
PIQA = [
    {"goal": "keep bread fresh", "sol1": "put it into a box ", "sol2": "put it into the sea", "label": 0},
    {"goal": "dry a shirt", "sol1": "hold it under water", "sol2": "hang it in the sun", "label": 1},
]
RECORD = [
    {"passage": "The town of Northby built a pier.\n@highlight\nNorthby has a pier", "query": "@placeholder built it",
     "entities": ["Northby", "pier"], "answers": ["Northby"]},
]  # fmt: skip
RTE = [
    {"sentence1": "The pier was built of stone.", "sentence2": "The pier is of stone.", "label": 0},
    {"sentence1": 'He said "no".', "sentence2": "He agreed.", "label": 1},
]
TRUTHFULQA = [
    {"question": "Can stones swim?",
     "mc1_targets": {"choices": ["No, stones sink.", "Yes, all of them.", "Yes, at night."], "labels": [1, 0, 0]},
     "mc2_targets": {"choices": ["No.", "No, stones sink.", "Yes, all of them.", "Yes, at night."],
                     "labels": [1, 1, 0, 0]}},
    {"question": "What do lamps eat?", "mc1_targets": {"choices": ["Nothing.", "Bread."], "labels": [1, 0]},
     "mc2_targets": {"choices": ["Nothing.", "Bread."], "labels": [1, 0]}},
]  # fmt: skip
WIC = [
    {"word": "bank", "sentence1": "The bank of the river.", "sentence2": "Money in the bank.", "start1": 4, "end1": 8,
     "label": 0},
    {"word": "lamp", "sentence1": "A lamp burns.", "sentence2": "The lamp is lit.", "start1": 2, "end1": 6, "label": 1},
]  # fmt: skip
WINOGRANDE = [
    {"sentence": "The cup did not fit the box since the _ was too small.", "option1": "cup", "option2": "box",
     "answer": "2"},
    {"sentence": "The cup did not fit the box since the _ was too big.", "option1": "cup", "option2": "box",
     "answer": "1"},
]  # fmt: skip

HUB = {
    "kobest_boolq": KOBEST_BOOLQ, "kobest_copa": KOBEST_COPA, "kobest_hellaswag": KOBEST_HELLASWAG,
    "kobest_sentineg": KOBEST_SENTINEG, "kobest_wic": KOBEST_WIC, "anli_r1": ANLI, "anli_r2": ANLI[:2],
    "anli_r3": ANLI[1:], "arc_challenge": ARC[1:], "arc_easy": ARC, "boolq": BOOLQ, "hellaswag": HELLASWAG,
    "openbookqa": OPENBOOKQA, "piqa": PIQA, "record": RECORD, "rte": RTE, "truthfulqa_mc1": TRUTHFULQA,
    "truthfulqa_mc2": TRUTHFULQA, "wic": WIC, "winogrande": WINOGRANDE,
}  # fmt: skip
"""Fields that lm-eval's tasks read, by task."""


def _tsv(names, rows):
    cells = [
        [f'"{cell.replace(chr(34), chr(34) * 2)}"' if '"' in str(cell) else str(cell) for cell in row]
        for row in rows
    ]
    return "".join("\t".join(row) + "\n" for row in [names, *cells])


def _lines(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _repacked(before, word, between, after, rows):
    """What LLM-Adapters makes of question, choices and the right place."""
    made = []
    for question, choices, right in rows:
        names = [f"{word}{number}" for number in range(1, len(choices) + 1)]
        body = between.join(f"{name}: {choice}" for name, choice in zip(names, choices, strict=True))
        formats = "/".join(name.lower() for name in names)
        text = f"{before}{question}\n\n{body}{after}Answer format: {formats}"
        answer = names[right].lower()
        made.append(
            {"instruction": text, "input": "", "output": f"the correct answer is {answer}", "answer": answer}
        )
    return json.dumps(made, indent=4)


def _arc_rows(items):
    return [(one["question"], one["choices"]["text"], "ABCD".index(one["answerKey"])) for one in items]


QUESTION = "Please choose the correct answer to the question: "


def write(folder):
    """Every task's file below a folder, as its authors, SuperGLUE or LLM-Adapters write it."""
    hellaswag = [
        [one["context"], *(one[f"ending_{n}"] for n in range(1, 5)), one["label"]] for one in KOBEST_HELLASWAG
    ]
    inferred = ("entailment", "neutral", "contradiction")
    anli = [
        {**one, "label": inferred[one["label"]], "tag": f"{tag}_test"}
        for tag, items in (("r1", ANLI), ("r2", ANLI[:2]), ("r3", ANLI[1:]))
        for one in items
    ]
    record = {
        "passage": {
            "text": RECORD[0]["passage"],
            "entities": [{"start": 12, "end": 18}, {"start": 28, "end": 31}],
        },
        "qas": [{"query": RECORD[0]["query"], "answers": [{"start": 12, "end": 18, "text": "Northby"}]}],
    }
    truthful = [
        ["Can stones swim?", "No, stones sink", "No; No, stones sink.", "Yes, all of them; Yes, at night"],
        ["What do lamps eat?", "Nothing", "Nothing", "Bread"],
    ]
    cells = [["Question", "Best Answer", "Correct Answers", "Incorrect Answers"], *truthful]
    openbook = [
        [f"8-{n}", one["question_stem"],
         " ".join(f"({letter}) {text}" for letter, text in zip("ABCD", one["choices"]["text"], strict=True)), "",
         one["answerKey"]]
        for n, one in enumerate(OPENBOOKQA)
    ]  # fmt: skip
    files = {
        "kobest/BoolQ/test.tsv": _tsv(
            ["ID", "Text", "Question", "Answer"],
            [[n, one["paragraph"], one["question"], YES_NO[one["label"]]] for n, one in enumerate(KOBEST_BOOLQ)],
        ),
        "kobest/COPA/test.tsv": _tsv(
            ["ID", "sentence", "question", "1", "2", "Answer"],
            [[n, one["premise"], one["question"], one["alternative_1"], one["alternative_2"], one["label"] + 1]
             for n, one in enumerate(KOBEST_COPA)],
        ),
        "kobest/HellaSwag/test.tsv": _tsv(["context", "choice1", "choice2", "choice3", "choice4", "label"], hellaswag),
        "kobest/SentiNeg/test.tsv": _tsv(
            ["ID", "Label", "Text"], [[n, one["label"], one["sentence"]] for n, one in enumerate(KOBEST_SENTINEG)]
        ),
        "kobest/WiC/test.tsv": _tsv(
            ["ID", "Target", "SENTENCE1", "SENTENCE2", "ANSWER"],
            [[n, one["word"], one["context_1"], one["context_2"], YES_NO[one["label"]]]
             for n, one in enumerate(KOBEST_WIC)],
        ),
        "anli/test.jsonl": _lines(anli),
        "ARC-Easy/test.json": _repacked(QUESTION, "Answer", " ", "\n\n", _arc_rows(ARC)),
        "ARC-Challenge/test.json": _repacked(QUESTION, "Answer", " ", "\n\n", _arc_rows(ARC[1:])),
        "superglue/BoolQ/val.jsonl": _lines([{**one, "label": str(bool(one["label"])).lower()} for one in BOOLQ]),
        "hellaswag/hellaswag_val.jsonl": _lines([{**one, "label": int(one["label"])} for one in HELLASWAG]),
        "openbookqa/Main/test.tsv": _tsv(
            ["ID", "Question Stem", "Choices", "Complete Question", "Answer Key"], openbook
        ),
        "piqa/valid.jsonl": _lines([{name: one[name] for name in ("goal", "sol1", "sol2")} for one in PIQA]),
        "piqa/valid-labels.lst": "0\n1\n",
        "superglue/ReCoRD/val.jsonl": _lines([record]),
        "superglue/RTE/val.jsonl": _lines(
            [{"premise": one["sentence1"], "hypothesis": one["sentence2"],
              "label": ("entailment", "not_entailment")[one["label"]]} for one in RTE]
        ),
        "truthfulqa/TruthfulQA.csv": "".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in cells),
        "superglue/WiC/val.jsonl": _lines([{**one, "label": ("false", "true")[one["label"]]} for one in WIC]),
        "winogrande/test.json": _repacked(
            "Please choose the correct answer to fill in the blank to complete the given sentence: ",
            "Option", " ", " ",
            [(one["sentence"], [one["option1"], one["option2"]], int(one["answer"]) - 1) for one in WINOGRANDE],
        ),
    }  # fmt: skip
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, "utf-8")
    return folder
