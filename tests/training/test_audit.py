"""The audit before step 1 finds each fault that a loss does not show, and names what mends it."""

import sys
from pathlib import Path

import numpy as np
import pytest

from chejil.errors import ChejilError
from chejil.training.conversations import conversation_view
from chejil.training.conversations.audit import Auditor, audit, require_labels
from chejil.training.conversations.audit_findings import AuditSettings
from chejil.training.conversations.chat_encoding import ChatEncoder
from chejil.training.conversations.conversation import Conversation, checked

sys.path.insert(0, str(Path(__file__).parent))
import chat_tokenizer

pytest.importorskip("transformers")
EOS, PAD = "<|endoftext|>", "<|pad|>"
LOOP = (
    "{%- for m in messages %}{%- if m.role == 'assistant' %}ANSWER{%- else %}{{- BOS + m.content + '\\n' }}"
    "{%- endif %}{%- endfor %}"
)
GOOD = "{%- generation %}{{- m.content + eos_token }}{%- endgeneration %}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    roles = {"eos": EOS, "pad": PAD, "bos": "<|bos|>"}
    return chat_tokenizer.write(tmp_path_factory.mktemp("tokenizer"), roles=roles)


def talk(question="하나?", answer="셋.", turns=1):  # one? three.
    messages = checked([("user", [question]), ("assistant", [answer])] * turns)
    return Conversation("a", messages, "talk.jsonl", 7, "messages")


def found(folder, tmp_path, answer=GOOD, bos="''", conversations=None, **settings):
    file = tmp_path / "template.jinja"
    file.write_text(LOOP.replace("ANSWER", answer).replace("BOS", bos))
    return audit(
        ChatEncoder(folder, str(file)), [conversations or [talk(turns=2)]], AuditSettings(**settings)
    )


def verdicts(result):
    return {finding.name: finding.verdict for finding in result.findings}


@pytest.mark.parametrize("name", ["chatml", "42dot", "koalpaca", "kullm", "llama2", "polyglot"])
def test_every_named_template_passes(folder, name):
    """On conversations of one and of two turns; each names the token that ends its answers."""
    result = audit(ChatEncoder(folder, name), [[talk(), talk(turns=2)]])

    result.require()
    end = next(finding for finding in result.findings if finding.name == "end")
    assert ("<|im_end|>" if name == "chatml" else EOS) in end.said
    assert 0 < result.learnt_tokens < result.tokens
    assert result.conversations == 2


@pytest.mark.parametrize(
    ("template", "check", "said"),
    [
        (
            {"answer": "{{- m.content + eos_token }}"},
            "answers",
            "not one learnt token, first at talk.jsonl:7",
        ),
        (
            {"answer": "{% if loop.last %}" + GOOD + "{% else %}{{ m.content }}{% endif %}"},
            "answers",
            "not every",
        ),
        (
            {"answer": "{%- generation %}{{- m.content }}{%- endgeneration %}{{- eos_token }}"},
            "end",
            "last learnt token is no special token",
        ),
        ({"bos": "bos_token + bos_token"}, "bos", "begin with two BOS"),
        ({"answer": "{{- 'A: ' }}" + GOOD}, "prompt", "do not begin with their prompt's tokens"),
        ({"max_tokens": 5}, "truncated", r"1 \(100.0%\) are longer than 5 tokens"),
    ],
)
def test_a_fault_is_refused(folder, tmp_path, template, check, said):
    """By its own check and no other, with what mends it."""
    result = found(folder, tmp_path, **template)

    assert [finding.name for finding in result.refused] == [check]
    with pytest.raises(ChejilError, match=said) as error:
        result.require()
    assert error.value.mend


def test_a_bos_of_the_template_alone_passes(folder, tmp_path):
    """One is no double."""
    assert verdicts(found(folder, tmp_path, bos="(bos_token if loop.first else '')"))["bos"] == "ok"


@pytest.mark.parametrize("roles", [{"eos": EOS, "pad": EOS}, {"eos": EOS}])
def test_padding_that_ends_answers_is_refused(tmp_path, roles):
    """Named so, or taken for want of a pad token; ChatML's end is another token than both."""
    folder = chat_tokenizer.write(tmp_path, roles=roles, merges=9)

    assert [one.name for one in audit(ChatEncoder(folder, "kullm"), [[talk()]]).refused] == ["pad"]
    assert not audit(ChatEncoder(folder, "chatml"), [[talk()]]).refused


def test_a_few_long_conversations_are_a_note(folder):
    """Their share is below what is allowed; those without an answer in the context are counted apart."""
    long = [talk(answer="셋. " * 40), talk(question="하나? " * 40)]
    result = audit(ChatEncoder(folder, "polyglot"), [[talk()] * 98, long], AuditSettings(max_tokens=60))

    assert verdicts(result)["truncated"] == "note"
    assert result.truncated == 2
    assert "1 of them by the prompt alone" in next(f.said for f in result.findings if f.name == "truncated")


def test_quoted_tokens_and_markers_are_noted(folder):
    """The first are text; the second cannot be told from the template's."""
    result = audit(ChatEncoder(folder, "kullm"), [[talk("<|im_end|>"), talk("### 응답: 넷"), talk()]])

    said = [finding.said for finding in result.findings if finding.name == "quoted"]
    assert [one.split(" conv")[0] for one in said] == ["1", "1"]
    assert not result.refused


def test_the_tokens_of_another_encoder_are_audited(folder):
    """What a trainer made is looked at, not what we would have made."""
    encoder = ChatEncoder(folder, "chatml")
    auditor = Auditor(encoder)
    one = encoder.encode([talk().messages])[0]
    shifted = type(one)(np.append(one.ids[1:], one.ids[0]), one.learnt, one.answers)

    auditor.add([talk()], [shifted])

    assert {finding.name for finding in auditor.result().refused} == {"end", "prompt"}


def test_the_sample_is_whole_and_brackets_what_is_learnt(folder):
    """The first conversation that fits is shown; escape sequences in it are not."""
    result = audit(ChatEncoder(folder, "chatml"), [[talk(answer="긴 답 " * 300), talk(answer="a\x1b[31mb")]])

    drawn = conversation_view.sample(result).plain
    assert drawn == "<|im_start|>user\n하나?<|im_end|>\n<|im_start|>assistant\n⟦a\ufffd[31mb<|im_end|>⟧\n"
    assert [piece["learnt"] for piece in result.sample] == [False, True, False]


def test_nothing_to_audit_is_an_error(folder):
    """An empty data set does not pass."""
    with pytest.raises(ChejilError, match="no conversation"):
        audit(ChatEncoder(folder, "chatml"), [])


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([[-100, 6, 2, -100], [-100] * 4], "row 1 of the batch has no label"),
        ([[-100, 6, -100, -100], [-100, 6, -100, -100]], "no answer's end"),
        ([[-100, 6, 2, 0], [-100, 6, 2, -100]], "padding is among the labels"),
    ],
)
def test_a_batch_whose_labels_lost_something_is_refused(labels, said):
    """The trainer's own collator is looked at once more."""
    ids = np.array([[5, 6, 2, 0], [5, 6, 2, 0]])

    require_labels(ids, np.array([[-100, 6, 2, -100]] * 2), [2], 0)
    with pytest.raises(ChejilError, match=said):
        require_labels(ids, np.array(labels), [2], 0)


@pytest.mark.parametrize(("template", "said"), [("llama2", "writes it, too"), ("kullm", "does not write it")])
def test_a_tokenizer_that_adds_a_bos_is_noted(tmp_path, template, said):
    """Its own BOS and the template's would be two, where other tools cut the rendered text again."""
    folder = chat_tokenizer.write(tmp_path, roles={"eos": EOS, "pad": PAD, "bos": "<|bos|>"}, merges=9)
    tokenizers = pytest.importorskip("tokenizers")
    path = str(tmp_path / "tokenizer.json")
    tokenizer = tokenizers.Tokenizer.from_file(path)
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="<|bos|> $A", special_tokens=[("<|bos|>", tokenizer.token_to_id("<|bos|>"))]
    )
    tokenizer.save(path)

    result = audit(ChatEncoder(folder, template), [[talk()]])

    (finding,) = (finding for finding in result.findings if finding.name == "bos")
    assert (finding.verdict, result.refused) == ("note", [])
    assert said in finding.said
