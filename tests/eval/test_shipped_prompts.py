"""The prompts that ship: enough, in both languages and ten categories, each once, and none of them from elsewhere."""

import re
from collections import Counter

import pytest

from chejil.eval.judging import prompts, rubrics

SET = prompts.load("koen")
CATEGORIES = {
    "Generation", "OpenQA", "ClosedQA", "Chat", "Rewrite", "Summarization", "Classification", "Extract",
    "Brainstorming", "Reasoning",
}  # fmt: skip


def test_there_are_enough_of_each():
    """At least 120, at least six of every category in each language: a balanced mean rests on the smallest."""
    counts = Counter((prompt.category, prompt.lang) for prompt in SET.prompts)

    assert len(SET.prompts) >= 120
    assert {category for category, _ in counts} == CATEGORIES
    assert len(counts) == 20
    assert min(counts.values()) >= 6


def test_the_language_is_what_the_row_says():
    """A Korean prompt holds Hangul; an English one begins in English, though it may quote Korean."""
    for prompt in SET.prompts:
        hangul = len(re.findall("[가-힣]", prompt.question))
        latin = len(re.findall("[A-Za-z]", prompt.question))
        if prompt.lang == "ko":
            assert hangul > latin or "def " in prompt.question, prompt.id
        else:
            assert latin > 0, prompt.id
        assert prompt.id.startswith(f"{prompt.lang}-")


def test_no_prompt_is_there_twice_or_untidy():
    """Questions differ, have no stray blanks, and no line is left open."""
    questions = [prompt.question for prompt in SET.prompts]

    assert len(set(questions)) == len(questions)
    for question in questions:
        assert question == question.strip()
        assert not re.search(r"\S  +\S| \n", question), question
        assert 20 <= len(question) <= 1000


@pytest.mark.corpus
def test_no_prompt_is_a_published_one(corpus):
    """Not a run of 30 characters of 42dot's or self-instruct's prompts stands in ours."""
    known = "\n".join(
        prompt.question
        for path in ("eval-42dot/benchmark_set_v2.csv", "sft/user_oriented_instructions.jsonl")
        for prompt in prompts.load(str(corpus / path)).prompts
    )

    for prompt in SET.prompts:
        pieces = (prompt.question[start : start + 30] for start in range(len(prompt.question) - 30))
        assert not [piece for piece in pieces if piece in known], prompt.id


def test_every_prompt_makes_messages():
    """In every rubric and both languages, whatever braces it holds."""
    for name in ("six", "pairwise"):
        rubric = rubrics.rubric(name)
        texts = ("one", "two") if name == "pairwise" else ("one",)
        for prompt in SET.prompts:
            assert prompt.question in rubrics.messages(rubric, "ko", prompt, texts)[1]["content"]
