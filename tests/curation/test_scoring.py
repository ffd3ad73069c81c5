"""Score settings: which signals `all` means, models by content, slow signals on chosen documents."""

import shutil
from pathlib import Path

import fsspec
import polars as pl
import pyarrow as pa
import pytest

from chejil.curation import check, manifest, marked_yaml, model_files, scoring
from chejil.curation.run import run
from chejil.curation.scoring import Score, Slow, problems, resolved, selected, with_slow
from chejil.errors import ChejilError, RecipeError
from chejil.filters.catalogue import SIGNALS
from chejil.filters.engine import score

from ..quality_corpus import small_models
from ..tokenizer_file import write_byte_tokenizer, write_word_tokenizer

KOREAN = "시의회는 어제 회의를 열었다."  # the council met yesterday
ENGLISH = "The council met yesterday in the hall."


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return small_models(tmp_path_factory.mktemp("models"))


def test_all_leaves_out_what_is_slow_or_has_no_model(models):
    """A signal of a model stands in `all` exactly if a model is given; a slow one where it is named."""
    assert not {"quality", "morpheme_score"} & set(Score().names)
    assert "quality" in Score(models={"quality_en": models["quality_en"]}).names
    assert set(Score(signals=["all", "morpheme_score"]).names) == {*Score().names, "morpheme_score"}
    assert Score(signals=["num_words"]).names == ["num_chars", "num_words", "lang"]


def test_a_tokenizer_is_a_model_like_others(tmp_path):
    """A file or its folder; its content and the library's version are in the key, its place is not."""
    path = write_word_tokenizer(tmp_path / "one")
    write_word_tokenizer(tmp_path / "two")
    one, two = (Score(models={"tokenizer": str(where)}) for where in (path, tmp_path / "two"))

    assert {"num_tokens", "num_tokenized_bytes", "bytes_per_token"} <= set(one.names)
    assert not {"num_tokens", "bytes_per_token"} & set(Score().names)
    sums = Score(signals=["num_tokens"], models={"tokenizer": path}).names
    assert sums == ["num_chars", "lang", "num_tokens", "num_tokenized_bytes"]
    assert not list(problems(one, "."))
    assert resolved(one) == resolved(two)
    assert resolved(one)["versions"]["tokenizers"]
    write_byte_tokenizer(tmp_path / "two", [KOREAN, ENGLISH])
    assert resolved(one) != resolved(two)
    ((place, error),) = problems(Score(models={"tokenizer": str(tmp_path)}), ".")
    assert (place, error.what) == (("models", "tokenizer"), "no such model file")
    assert "tokenizer.json" in error.mend


def test_the_key_follows_the_models_content(models, tmp_path):
    """A copy elsewhere is the same model; another training under the same name is another."""
    copy = tmp_path / "ko.ftz"
    shutil.copy(models["quality_ko"], copy)
    here = resolved(Score(models={"quality_ko": models["quality_ko"]}))

    assert resolved(Score(models={"quality_ko": "ko.ftz"}), str(tmp_path)) == here
    shutil.copy(models["quality_en"], copy)
    assert resolved(Score(models={"quality_ko": "ko.ftz"}), str(tmp_path)) != here
    assert "quality" in here["signals"]
    assert str(tmp_path) not in str(here)


def test_kiwi_stands_in_the_key_where_it_is_asked():
    """With its model's version; elsewhere it may be installed or not."""
    pytest.importorskip("kiwipiepy")
    assert "versions" not in resolved(Score())
    assert set(resolved(Score(signals=["morpheme_score"]))["versions"]) == {"kiwipiepy", "kiwipiepy_model"}
    assert resolved(Score(slow=Slow(share=0.5))) == resolved(Score())


def test_a_model_at_a_url_is_copied_once(models, tmp_path):
    """Into a cache, under a name that changes with the file."""
    memory = fsspec.filesystem("memory")
    memory.pipe("/models/ko.ftz", Path(models["quality_ko"]).read_bytes())

    first = model_files.local_file("memory://models/ko.ftz", tmp_path)
    again = model_files.local_file("memory://models/ko.ftz", tmp_path)

    assert first == again
    assert Path(first).read_bytes() == Path(models["quality_ko"]).read_bytes()
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(ChejilError, match="no such model file") as raised:
        model_files.local_file("memory://models/en.ftz", tmp_path)
    assert raised.value.mend == "models there: ko.ftz"
    memory.rm("/models", recursive=True)


def documents(number):
    texts = [KOREAN if i % 2 else ENGLISH for i in range(number)]
    rows = pa.table({"id": [f"a/{i}" for i in range(number)], "source": ["a"] * number})
    return texts, rows


def test_slow_signals_are_measured_on_a_share_of_the_documents():
    """About that share, the same ones in any batch, and more of them where the share grows."""
    texts, rows = documents(1000)
    signals = score(texts, ["num_chars", "lang"])

    tenth, half = (selected(signals, rows, Slow(share=share)) for share in (0.1, 0.5))
    part = selected(signals.slice(300, 50), rows.slice(300, 50), Slow(share=0.1))

    assert 70 < tenth.sum() < 130
    assert 440 < half.sum() < 560
    assert not (tenth & ~half).any()
    assert part.tolist() == tenth[300:350].tolist()
    assert selected(signals, rows, Slow()).all()


def test_slow_signals_are_measured_where_a_condition_holds():
    """Over quick signals and columns of the documents; unknown is no."""
    texts, rows = documents(10)
    signals = score([*texts[:9], "…"], ["num_chars", "lang"])

    wanted = selected(signals, rows, Slow(where="lang = 'ko' AND id <> 'a/1'"))

    assert wanted.tolist() == [i % 2 == 1 and i not in (1, 9) for i in range(10)]


@pytest.mark.parametrize("wanted", [[], [2], [0, 1, 2, 3]])
def test_slow_columns_are_null_elsewhere(wanted):
    """The rows that are measured have the values that they would have alone."""
    pytest.importorskip("kiwipiepy")
    texts, _ = documents(4)
    names = ["num_morphemes", "morpheme_score"]
    mask = pl.Series(range(4)).is_in(wanted).to_numpy()
    table = with_slow(score(texts, ["lang"]), pa.chunked_array([texts]), mask, names, {})

    alone = score(texts, names).to_pylist()
    empty = dict.fromkeys(names)
    assert table.select(names).to_pylist() == [alone[i] if i in wanted else empty for i in range(4)]
    assert table.schema.field("num_morphemes").type == pa.int64()


@pytest.mark.parametrize(
    ("settings", "place", "what"),
    [
        ({"signals": ["all", "num_word"]}, ("signals", 1), "no signal is called 'num_word'"),
        ({"signals": ["quality"]}, ("signals", 0), "'quality' has no model"),
        ({"models": {"quality_kr": "x"}}, ("models", "quality_kr"), "no model is called 'quality_kr'"),
        ({"models": {"quality_ko": "x"}}, ("models", "quality_ko"), "no such model file"),
        ({"models": {"quality_ko": "en"}}, ("models", "quality_ko"), "not a quality classifier for 'ko'"),
        ({"slow": {"share": 0.5}}, ("slow",), "no slow signal is scored"),
        ({"slow": {"where": "lang ="}}, ("slow", "where"), "not a condition in SQL"),
        ({"slow": {"where": "lange = 'ko'"}}, ("slow", "where"), "no column is called 'lange'"),
        ({"slow": {"where": "num_words > 9"}}, ("slow", "where"), "'num_words' is not scored"),
        ({"slow": {"where": "morpheme_score > 0"}}, ("slow", "where"), "'morpheme_score' is slow itself"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(models, settings, place, what):
    """Before anything runs."""
    pytest.importorskip("kiwipiepy")
    if place[0] == "slow" and "where" in settings["slow"]:
        settings = {"signals": ["morpheme_score"], **settings}
    if settings.get("models") == {"quality_ko": "en"}:
        settings = {"models": {"quality_ko": models["quality_en"]}}

    found = dict(problems(Score.model_validate(settings), "."))

    assert list(found) == [place]
    assert found[place].what.startswith(what)
    assert found[place].mend


def test_settings_without_a_mistake_have_no_problems(models):
    """Models and slow signals together."""
    pytest.importorskip("kiwipiepy")
    slow = {"share": 0.5, "where": "lang = 'ko' AND quality > 0.5 AND source <> 'x'"}
    settings = {"signals": ["all", *_slow_names()], "models": models, "slow": slow}

    assert list(problems(Score.model_validate(settings), ".")) == []


def _slow_names():
    return [name for name in SIGNALS if scoring.is_slow(name)]


@pytest.fixture
def recipe(small_corpus, models, tmp_path):
    """A recipe with models beside its data, and Kiwi on half of the Korean documents."""
    pytest.importorskip("kiwipiepy")
    data = tmp_path / "data"
    shutil.copytree(small_corpus, data)
    shutil.copy(models["quality_ko"], data / "ko.ftz")
    text = """\
name: scored
data: {data}
sources:
  mc4-ko: {{format: mc4, paths: "mc4-ko/*.json.gz"}}
  c4-en: {{format: c4, paths: "c4-en/*.json.gz"}}
stages:
  - normalise
  - score:
      signals: [all, morpheme_score]
      models: {{quality_ko: ko.ftz}}
      slow: {{share: 0.5, where: "lang = 'ko'"}}
  - filter:
      bounds: {{ko: {{quality: {{low: 0.5}}}}, en: keep, mixed: keep, other: drop, unknown: drop}}
  - write
"""

    def load(**changes):
        settings = [f"{key}={value}" for key, value in changes.items()]
        return check.check(marked_yaml.read(text.format(data=data), "scored.yaml"), settings)

    return load


def test_a_run_scores_with_models_and_kiwi(recipe, models, tmp_path):
    """What was measured by what stands in the manifest; a model that changes is scored anew, one that moves not."""
    root = tmp_path / "run"
    first = run(recipe(), str(root))
    signals = pl.read_parquet(root / "signals/**/*.parquet", hive_partitioning=False)
    korean, english = signals.filter(lang="ko"), signals.filter(lang="en")

    assert korean["quality"].null_count() == 0
    assert english["quality"].null_count() == len(english)
    assert 0.25 < korean["morpheme_score"].null_count() / len(korean) < 0.75
    assert english["morpheme_score"].null_count() == len(english)
    assert first.versions["quality_ko"] == model_files.content_hash(models["quality_ko"])
    assert {"kiwipiepy", "kiwipiepy_model"} <= set(first.versions)
    assert manifest.verify(str(root)) == []

    data = tmp_path / "data"
    (data / "ko.ftz").rename(data / "moved.ftz")
    moved = {"stages.score.models.quality_ko": "moved.ftz"}
    assert run(recipe(**moved), str(root)).units_done == 0


def test_a_missing_model_is_found_by_check(recipe, tmp_path):
    """With its place in the recipe."""
    (tmp_path / "data/ko.ftz").unlink()

    with pytest.raises(RecipeError, match=r"scored.yaml:10:\d+: .*no such model file"):
        recipe()
