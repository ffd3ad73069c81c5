"""The report card's numbers: by hand on tiny tokenizers, and against plain Python on any text."""

import json

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from chejil.errors import ChejilError
from chejil.filters.buffers import TextBuffers
from chejil.tokenizer.measuring import alignment, documents, morphemes, opening, parallel, scores, sizes
from chejil.tokenizer.measuring.measure import Settings, measure
from chejil.tokenizer.measuring.numbers import drawn, numbers
from chejil.tokenizer.measuring.probes import probes
from chejil.tokenizer.measuring.vocabulary import vocabulary

from .tiny_tokenizers import GPT2, content, syllable, write

SCHOOL = [*syllable("학"), *syllable("교"), ("학", "교"), *syllable("에"), (" ", "학교")]
"""학교 (school) and 에 (at) are tokens, 학교 with a space before it too."""

TEXTS = st.lists(
    st.text(
        st.sampled_from("가나다학교에각ㅋ漢éabzAB019 .,!?\n\t\u3000\xa0\u2028\x1f🙂👍\u1112\u1161"),
        max_size=40,
    ),
    min_size=1,
    max_size=4,
)


def buffers(*texts):
    return TextBuffers.of(pa.array(texts, pa.large_string()))


@pytest.fixture(scope="module")
def school(tmp_path_factory):
    return opening.open_tokenizer(write(tmp_path_factory.mktemp("t") / "school", SCHOOL))


def shards(folder, rows):
    """Parquet of (text, source, lang)."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = dict(zip(("text", "source", "lang"), map(list, zip(*rows, strict=True)), strict=True))
    ids = [str(number) for number in range(len(rows))]
    table = pa.table({"id": ids, **columns}, schema=pa.schema([(n, pa.string()) for n in ("id", *columns)]))
    pq.write_table(table, folder / "a.parquet")
    return str(folder)


def test_a_report_card_by_hand(tmp_path):
    """Two documents, every number counted with a pencil."""
    # "school school to-school." / "cab"
    path = shards(tmp_path / "in", [("학교 학교에.", "a", "ko"), ("cab", "b", "en")])
    one = write(tmp_path / "one", SCHOOL)
    two = write(tmp_path / "two")

    card = measure([one, two], [path], Settings(with_morphemes=False, with_speed=False))

    ko = next(group for group in card.groups if group.lang == "ko" and group.source is None)
    assert (ko.documents, ko.num_bytes, ko.num_chars, ko.num_words) == (1, 17, 7, 2)
    first, second = ko.scores["one"], ko.scores["two"]
    # 학교 | ␣학교 | 에 | .
    assert first["tokens"] == 4
    assert first["tokens_per_word"].value == 2
    assert first["bytes_per_token"].value == 17 / 4
    assert first["chars_per_token"].value == 7 / 4
    assert first["whole_share"].value == 1 / 2  # 학교 is one token, 학교에 is two
    assert first["same_share"] == 1
    assert (second["tokens"], second["whole_share"].value, second["against_first"].value) == (17, 0, 17 / 4)
    everything = card.groups[0]
    assert (everything.name, everything.documents, everything.scores["one"]["tokens"]) == ("all", 2, 4 + 3)
    assert [group.name for group in card.groups] == ["all", "ko", "en", "a / ko", "b / en"]


@given(TEXTS)
def test_ends_and_whole_words_equal_plain_python(texts):
    """Where each token ends, and which words one token holds, for texts of any kind."""
    tokenizer = opening.of_file(opening.TokenizerFile("", b"", content(SCHOOL)), "school")
    found = alignment.align(buffers(*texts), tokenizer)
    words, whole = alignment.whole_words(buffers(*texts), found)

    assert found.same.all()
    for doc, text in enumerate(texts):
        first, last = found.tokens.offsets[doc : doc + 2]
        parts = [tokenizer.token_bytes[number] for number in found.tokens.ids[first:last]]
        assert b"".join(parts) == text.encode()
        ends = np.cumsum([len(part) for part in parts]).tolist()
        assert found.ends[first:last].tolist() == ends
        assert (words[doc], whole[doc]) == plain_whole_words(text, ends)


def plain_whole_words(text, ends):
    spans, at = [], 0
    for char in [*text, " "]:
        if char.isspace():
            spans.append([])
        elif char.isalnum() or ord(char) >= 128:
            spans = spans or [[]]
            spans[-1].append((at, at + len(char.encode())))
        else:
            spans = spans or [[]]
        at += len(char.encode())
    spans = [(span[0][0], span[-1][1]) for span in spans if span]
    tokens = list(zip([0, *ends], ends, strict=False))
    return len(spans), sum(any(a <= first and last <= b for a, b in tokens) for first, last in spans)


@given(TEXTS)
def test_kinds_of_cuts_equal_plain_python(texts):
    """A cut before each byte: between two syllables, inside one, or elsewhere."""
    every = opening.of_file(opening.TokenizerFile("", b"", content()), "bytes")  # cuts before every byte
    kinds = alignment.cuts(buffers(*texts), alignment.align(buffers(*texts), every))
    plain = [0] * (1 + sum(len(text.encode()) for text in texts))
    start = 0
    for text in texts:
        place = start
        for number, char in enumerate(text):
            size = len(char.encode())
            if "가" <= char <= "힣":
                plain[place + 1] = plain[place + 2] = alignment.INSIDE
                if number and "가" <= text[number - 1] <= "힣":
                    plain[place] = alignment.BETWEEN
            place += size
        start = place
    assert kinds.tolist() == plain


def test_a_tokenizer_that_changes_the_text_goes_by_its_own_places(tmp_path):
    """A normaliser makes small letters: bytes do not add up, offsets of the library do."""
    path = write(tmp_path / "t", [("a", "b")], normalizer={"type": "Lowercase"})
    tokenizer = opening.open_tokenizer(path)

    found = alignment.align(buffers("AB 가A", "ab"), tokenizer)

    assert "normaliser" in tokenizer.kind
    assert found.same.tolist() == [False, True]
    assert found.ends.tolist()[:2] == [2, 3]
    assert found.ends.tolist()[found.tokens.offsets[1] - 1] == 7
    assert alignment.whole_words(buffers("AB 가A", "ab"), found)[1].tolist() == [1, 1]


def test_vocabulary_by_hand(tmp_path):
    """Partial: 128 bytes and the first two of each syllable. Unreachable: what the pattern always cuts."""
    merges = [*syllable("학"), ("a", "1"), ("b", "c")]
    tokenizer = opening.open_tokenizer(write(tmp_path / "t", merges))
    used = np.zeros(len(tokenizer.token_bytes), np.int64)
    used[1:100] = 1

    found = vocabulary(tokenizer, used)

    assert (found["ids"], found["tokens"], found["special"]) == (261, 260, 1)
    assert found["partial"] == 128 + 1
    assert (found["unreachable"], found["examples"]["unreachable"]) == (1, ["a1"])
    assert found["dead"] == 260 - 99
    assert found["hangul"] == 1
    assert found["examples"]["longest_korean"] == ["학"]
    assert found["examples"]["partial"] == ["ed 95"]


def test_numbers_by_hand(tmp_path):
    """With 12 as a token numbers are cut unlike, without it by length alone."""
    plain = numbers(opening.open_tokenizer(write(tmp_path / "a")))
    joined = numbers(opening.open_tokenizer(write(tmp_path / "b", [("1", "2")])))

    assert plain["cuts"]["4"] == "9|9|9|9"
    assert (plain["friendly_share"], plain["tokens_per_digit"], plain["most_digits"]) == (1, 1, 1)
    assert joined["friendly_share"] == sum("12" not in number for number in drawn()) / len(drawn())
    assert joined["most_digits"] == 2


def test_probes_come_back(school):
    """Every text of ours, tokens as pieces of it, and decomposed Hangul decomposed."""
    found = probes(school)

    assert all(one["same"] for one in found.values())
    assert found["NFD"]["chars"] > 20
    assert found["emoji"]["tokens"] == found["emoji"]["bytes"]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), min_size=2, max_size=30))
def test_a_ratio_lies_in_its_interval_of_resampled_ones(pairs):
    """Between the smallest and the largest ratio of single documents; the same each time."""
    parts, wholes = np.array(pairs).T
    score = scores.ratio(parts, wholes)

    assert score.value == sum(parts) / sum(wholes)
    assert min(parts / wholes) <= score.low <= score.high <= max(parts / wholes)
    assert score == scores.ratio(parts, wholes)


def test_the_interval_is_as_wide_as_theory_says():
    """Of 2,000 documents with deviation 1, two times 1.96 by the root of 2,000."""
    values = np.random.default_rng(1).normal(10, 1, 2000)
    score = scores.ratio(values, np.ones(2000))

    assert score.high - score.low == pytest.approx(2 * 1.96 / 2000**0.5, rel=0.1)


def test_renyi_efficiency_by_hand():
    """Shares 3/4 and 1/4 of a vocabulary of four."""
    expected = np.log(0.75**2.5 + 0.25**2.5) / -1.5 / np.log(4)

    assert scores.renyi_efficiency(np.array([3, 1, 0]), 4) == pytest.approx(expected)


def test_samples_nest_and_do_not_depend_on_workers(tmp_path):
    """Two files, two processes or one, give one report card; a smaller sample lies in a larger one."""
    rows = [
        (f"학교에 {number}. school {number}\n" * 3, "a" if number % 2 else "b", "ko") for number in range(60)
    ]
    paths = [shards(tmp_path / "x", rows[:25]), shards(tmp_path / "y", rows[25:])]
    specs = [write(tmp_path / "one", SCHOOL)]
    settings = Settings(docs=7, with_speed=False, with_morphemes=False)

    alone = measure(specs, paths, settings, 1).as_dict()
    together = measure(specs, paths[::-1], settings, 2).as_dict()

    assert alone.pop("paths") == together.pop("paths")[::-1]
    assert alone == together
    assert alone["sample"]["documents"] == 14
    hashes = {docs: documents.smallest(documents.corpus.pieces(paths)[0], docs)[0]["a"] for docs in (3, 7)}
    assert hashes[7][:3].tolist() == hashes[3].tolist()


def test_long_documents_are_cut_before_a_character():
    """At 128 KiB of bytes; short neighbours stay as they are."""
    texts = ["가" * 50_000, "나", "a" + "다" * 60_000]
    short = documents.shortened(buffers(*texts))
    found = [
        short.data[a:b].tobytes().decode() for a, b in zip(short.offsets[:-1], short.offsets[1:], strict=True)
    ]

    assert found == ["가" * (documents.MAX_BYTES // 3), "나", "a" + "다" * ((documents.MAX_BYTES - 1) // 3)]


def test_morphemes_by_hand(school):
    """학교에: Kiwi begins 에 anew, and so does the tokenizer; bytes cut inside syllables, too."""
    pytest.importorskip("kiwipiepy", reason="Kiwi is not installed: pip install chejil[kiwi]")
    every = opening.of_file(opening.TokenizerFile("", b"", content()), "bytes")
    # "I went to school."
    found = morphemes.compare([school, every], ["학교에 갔다."])

    assert found["boundaries"] == 2  # 학교|에, 갔|다 (and 가 + 았 begin at one place)
    ours, bytes_ = found["tokenizers"]["school"], found["tokenizers"]["bytes"]
    assert (ours["recall"], ours["inside_syllables"]) == (1.0, 4)
    assert ours["precision"] == 2 / 6  # 갔 and 다 are cut in bytes
    assert (bytes_["recall"], bytes_["inside_syllables"]) == (1.0, 10)


def test_without_kiwi_morphemes_are_left_out(school, monkeypatch):
    """And it is said why."""

    def absent():
        raise ChejilError("morpheme signals need Kiwi", mend="pip install 'chejil[kiwi]'")

    monkeypatch.setattr(morphemes.kiwi, "kiwi_versions", absent)

    assert "pip install" in morphemes.compare([school], ["학교에 갔다."])["left_out"]
    assert morphemes.compare([school], [])["left_out"] == "no Korean text in the sample"


@pytest.mark.parametrize("form", ["tsv", "headed", "jsonl", "parquet", "two"])
def test_parallel_text_in_every_form(form, tmp_path, school):
    """A side that is empty takes its pair away."""
    rows = [("학교", "school"), ("에", "at"), ("", "left")]
    file = tmp_path / f"pairs.{'tsv' if form == 'headed' else form}"
    spec = str(file)
    if form in ("tsv", "headed"):
        head = "en\tko\n" if form == "headed" else ""
        lines = ["\t".join(row[::-1] if form == "headed" else row) for row in rows]
        file.write_text(head + "\n".join(lines) + "\n", "utf-8")
    elif form == "jsonl":
        file.write_text("".join(json.dumps({"ko": a, "en": b}) + "\n" for a, b in rows), "utf-8")
    elif form == "parquet":
        pl.DataFrame(rows, schema=["ko", "en"], orient="row").write_parquet(file)
    else:
        for side, name in enumerate(("ko", "en")):
            (tmp_path / name).write_text("\n".join(row[side] for row in rows) + "\n", "utf-8")
        spec = f"{tmp_path}/ko,{tmp_path}/en"

    found = parallel.parity([school], parallel.pairs(spec))["tokenizers"]["school"]

    assert (found["ko_tokens"], found["en_tokens"]) == (2, 8)
    assert found["ratio"].value == 0.25


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [("a.tsv", "one\n", "no tab"), ("a.jsonl", '{"a": 1}\n', "no columns"), ("a.jsonl", "{", "cannot be read"),
     ("a.tsv", "", "no pairs"), ("none.tsv", None, "no such file"), ("a.parquet", "x", "cannot be read")],
)  # fmt: skip
def test_parallel_text_that_is_none(name, text, said, tmp_path):
    """Is refused with what to do."""
    if text is not None:
        (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(ChejilError, match=said) as error:
        parallel.pairs(str(tmp_path / name))
    assert error.value.mend


def test_tiktoken_by_name(monkeypatch):
    """Ids and bytes are tiktoken's; a file that is neither cached nor to be had is said so."""
    ranks = {bytes([byte]): byte for byte in range(256)} | {"학".encode()[:2]: 256, "학".encode(): 257}
    made = tiktoken.Encoding(
        "tiny", pat_str=GPT2, mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 258}
    )
    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: made)

    found = opening.open_tokenizer("tiktoken:tiny")

    assert (found.name, found.num_tokens, found.token_bytes[258]) == ("tiny", 258, None)
    tokens = found.model.encode(["학a", ""])
    assert (tokens.ids.tolist(), tokens.offsets.tolist()) == ([257, 97], [0, 2, 2])
    assert alignment.align(buffers("학a"), found).same.all()


def test_tiktoken_that_cannot_be_had(monkeypatch):
    """A name that is none, and a file that cannot be fetched."""

    def offline(name):
        raise OSError("no way")

    with pytest.raises(ChejilError, match="tiktoken has no 'cl100k'") as error:
        opening.open_tokenizer("tiktoken:cl100k")
    assert "cl100k_base" in error.value.mend
    monkeypatch.setattr(tiktoken, "get_encoding", offline)
    with pytest.raises(ChejilError, match="cannot be had") as error:
        opening.open_tokenizer("tiktoken:cl100k_base")
    assert "TIKTOKEN_CACHE_DIR" in error.value.mend


def test_sentencepiece(tmp_path):
    """A unigram model: blanks belong to the word behind them, ends are its own."""
    sentencepiece = pytest.importorskip("sentencepiece", reason="sentencepiece is not installed")
    lines = ["학교에 가는 길", "학교에 오는 길", "집에 가는 학교 길"] * 20
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_prefix=str(tmp_path / "m"),
        vocab_size=24,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    found = opening.open_tokenizer(str(tmp_path / "m.model"))
    aligned = alignment.align(buffers("학교에 가는 길"), found)

    assert found.kind == "SentencePiece"
    assert found.token_bytes[0] is None
    assert aligned.ends[-1] == len("학교에 가는 길".encode())
    assert (np.diff(aligned.ends) >= 0).all()


def test_names_tell_tokenizers_apart():
    """As short as they can be."""
    assert opening.named(["a/x", "b/x/tokenizer.json"]) == [("a/x", "a/x"), ("b/x/tokenizer.json", "b/x")]
    assert opening.named(["a/x", "b/y", "a/x"]) == [("a/x", "x"), ("b/y", "y")]


@pytest.mark.parametrize(
    ("file", "said"),
    [("", "not JSON"), ("[]", "no tokenizer"), ('{"model": {"type": "BPE"}}', "no model with a vocabulary")],
)
def test_corrupt_tokenizers(file, said, tmp_path):
    """Are refused with what to do."""
    (tmp_path / "tokenizer.json").write_text(file, "utf-8")
    with pytest.raises(ChejilError, match=said) as error:
        opening.open_tokenizer(str(tmp_path))
    assert error.value.mend


def test_smaller_vocabularies_are_the_first_merges(tmp_path, school):
    """Of 257 + 9 tokens the first 262: 학 and 교 are whole, 학교 is one, 에 is not."""
    path = write(tmp_path / "t", SCHOOL)
    small = opening.open_tokenizer(f"{path}@262")
    pieces = [small.token_bytes[number].decode() for number in small.model.encode(["학교"]).ids]

    assert (small.num_tokens, pieces) == (261, ["학교"])
    assert len(small.model.encode(["에"]).ids) == 3
    whole = opening.open_tokenizer(f"{path}@{257 + len(SCHOOL)}")
    assert (
        whole.model.encode(["학교에 학교"]).ids.tolist() == school.model.encode(["학교에 학교"]).ids.tolist()
    )
    assert opening.named(sizes.sweep(["a/t", "b/u"], "1k,2k"))[0] == ("a/t@1k", "t@1k")


def test_what_a_size_cuts_off_is_no_special_token(tmp_path):
    """The specials stay as many as they were."""
    whole = write(tmp_path / "t", SCHOOL)
    told = [
        vocabulary(one, np.zeros(len(one.token_bytes), np.int64))
        for one in (opening.open_tokenizer(whole), opening.open_tokenizer(f"{whole}@260"))
    ]

    assert [one["special"] for one in told] == [1, 1]
    assert told[1]["tokens"] == 259 < told[0]["tokens"]


@pytest.mark.parametrize("size", ["256", "100k"])
def test_sizes_that_it_has_not(size, tmp_path):
    """Are refused."""
    with pytest.raises(ChejilError, match="tokens of 265"):
        opening.open_tokenizer(write(tmp_path / "t", SCHOOL) + f"@{size}")
    with pytest.raises(ChejilError, match="no number of tokens"):
        sizes.sweep(["t"], "small")
    with pytest.raises(ChejilError, match="names no size"):
        sizes.sweep(["t"], ",")
