"""Configs of a pretraining: what they say, what they refuse and where, and those that ship."""

import pytest
from pydantic import BaseModel

from chejil.curation import settings_file
from chejil.errors import ChejilError, RecipeError
from chejil.training import config as configs
from chejil.training.config import PretrainConfig
from chejil.training.data.data_settings import DataSettings
from chejil.training.data.mixture import MixtureStages
from chejil.training.modelling.model_choice import ModelChoice
from chejil.training.modelling.model_sizes import ModelSize

GOOD = """\
name: small
model: {size: debug}
tokens: tokens
batch_tokens: 2048
total_tokens: 1e6
schedule:
  learning_rate: 3e-3
"""


def load(tmp_path, text, *settings):
    path = tmp_path / "config.yaml"
    path.write_text(text, "utf-8")
    return configs.load(str(path), settings)


def test_a_short_config_is_enough(tmp_path):
    """Whole numbers as people write them; a word for a list, and for a size."""
    found = load(tmp_path, GOOD)

    assert (found.total_tokens, found.steps, found.row_tokens, found.batch_rows) == (1_000_000, 489, 256, 8)
    assert found.tokens == ["tokens"]
    assert load(tmp_path, GOOD.replace("{size: debug}", "debug")) == found
    assert found.optimiser.betas == (0.9, 0.95)


@pytest.mark.parametrize("value", ["1000000", "1e6", "1_000_000", "1.0e+6", "1000000.0"])
def test_a_whole_number_is_written_in_any_way(tmp_path, value):
    """But not as a fraction."""
    assert load(tmp_path, GOOD.replace("1e6", value)).total_tokens == 1_000_000
    with pytest.raises(RecipeError, match="valid integer"):
        load(tmp_path, GOOD.replace("1e6", "0.5"))


@pytest.mark.parametrize("value", ["1200000000000", "1.2e12", "1.2e+12", "1_200_000_000_000"])
def test_a_stage_begins_at_a_count_that_is_written_in_any_way(tmp_path, value):
    """But not at a fraction, or below 0."""
    text = f"{GOOD}mixture:\n  stages:\n    - weights: {{a: 1}}\n    - {{from_tokens: {value}, weights: {{b: 1}}}}\n"

    begins = [stage.from_tokens for stage in load(tmp_path, text).mixture.stages]

    assert begins == [0, 1_200_000_000_000]
    assert all(isinstance(begin, int) for begin in begins)
    for wrong in ("1.5", "-1.2e12"):
        with pytest.raises(RecipeError, match="from_tokens"):
            load(tmp_path, text.replace(value, wrong))


@pytest.mark.parametrize(
    ("old", "new", "what", "place"),
    [
        ("batch_tokens", "batch_tokenz", "'batch_tokenz' is not known here", "4:1"),
        ("size: debug", "size: debugg", "did you mean 'debug'", "2:1"),
        ("  learning_rate: 3e-3", "  learning_rate: 3e-3\n  kind: linear", "'wsd' or 'cosine'", "8:3"),
        ("  learning_rate: 3e-3", "  learning_rat: 3e-3", "did you mean 'learning_rate'", "7:3"),
        ("batch_tokens: 2048", "batch_tokens: 2000", "no whole number of rows of 256: 2048 is near", "1:1"),
        ("batch_tokens: 2048", "batch_tokens: 2048\ncontext_tokens: 512", "more than the model's 256", "1:1"),
        ("  learning_rate: 3e-3", "  learning_rate: 3e-3\n  warmup_steps: 450", "more than the 489 steps", "1:1"),
        ("size: debug", "size: debug, heads: 5", "does not divide", "2:1"),
        ("size: debug", "hidden: 8", "give a `size`, or also layers", "2:1"),
        ("size: debug", "size: debug, start_from: x", "exclude each other", "2:1"),
        ("size: debug", "start_from: x, layers: 3", "keep their layers", "2:1"),
        ("tokens: tokens", "tokens: []", "at least 1 item", "3:1"),
        ("tokens: tokens", "tokens: t\ncheckpoints: {every_steps: 3, keep_every_steps: 10}", "no multiple", "4:1"),
        ("tokens: tokens", "tokens: t\nmixture_file: m.yaml\nmixture: {max_epochs: {a: 1}}", "exclude each", "1:1"),
        ("tokens: tokens", "tokens: t\nseed: -1", "greater than or equal to 0", "4:1"),
    ],
)  # fmt: skip
def test_a_fault_has_its_line_and_column(tmp_path, old, new, what, place):
    """And says what would be right."""
    with pytest.raises(RecipeError) as caught:
        load(tmp_path, GOOD.replace(old, new))

    assert what in str(caught.value)
    assert f"config.yaml:{place}" in str(caught.value)


def test_all_faults_are_told_at_once(tmp_path):
    """In the order of the file."""
    with pytest.raises(RecipeError) as caught:
        load(tmp_path, GOOD.replace("name", "nam").replace("debug", "debag"))

    assert len(caught.value.problems) == 3  # `nam` is unknown, `name` missing


def test_a_value_is_overridden(tmp_path):
    """A dotted path; a changed shape is no longer what the size's name promises."""
    found = load(tmp_path, GOOD, "model.vocab=4096", "optimiser.eps=1e-6")

    assert found.model.resolved().vocab == 4096
    assert found.model.resolved().named_parameters == 1_000_000
    assert load(tmp_path, GOOD, "model.layers=2").model.resolved().named_parameters is None
    assert found.optimiser.eps == 1e-6


def test_a_model_may_be_given_by_its_fields(tmp_path):
    """All that have no default."""
    text = "{layers: 2, hidden: 32, heads: 2, ffn: 64, vocab: 300, context_tokens: 64}"

    assert load(tmp_path, GOOD.replace("{size: debug}", text)).model.resolved().layers == 2


def test_every_field_of_a_size_can_be_changed():
    """What ModelSize has and ModelChoice not, no config could say."""
    assert ModelSize.model_fields.keys() == ModelChoice.model_fields.keys() - {"size", "start_from"}


def test_a_model_that_exists_says_its_shape(tmp_path):
    """Its folder is read when the size is asked for; the vocabulary may grow."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path / "hf"
    transformers.LlamaConfig(**ModelChoice(size="debug").resolved().llama_config()).save_pretrained(folder)
    found = load(tmp_path, GOOD.replace("size: debug", f"start_from: {folder}, vocab: 2560"))

    assert found.row_tokens == 256
    assert found.model.resolved().parameters == ModelChoice(size="debug", vocab=2560).resolved().parameters
    missing = load(tmp_path, GOOD.replace("size: debug", "start_from: nowhere"))
    with pytest.raises(ChejilError, match="cannot read"):
        missing.model.resolved()


def test_a_mixture_may_come_from_a_file(tmp_path):
    """Its faults have their places in it."""
    file = tmp_path / "mixture.yaml"
    file.write_text("stages:\n- weights: {wiki-ko: 3, c4-en: 5}\nmax_epochs: {wiki-ko: 4}\n", "utf-8")
    found = load(tmp_path, GOOD, f"mixture_file={file}")

    assert found.with_mixture().mixture.stages[0].weights == {"wiki-ko": 3.0, "c4-en": 5.0}
    assert found.with_mixture().mixture_file is None
    assert found.data().mixture.max_epochs == {"wiki-ko": 4.0}
    file.write_text("stages:\n- weightz: {wiki-ko: 3}\n", "utf-8")
    with pytest.raises(RecipeError, match=r"mixture\.yaml:2:3: 'weightz' is not known here"):
        found.with_mixture()


def test_what_a_training_keeps_is_read_again(tmp_path):
    """Every default written out gives the same config."""
    found = load(tmp_path, GOOD)

    assert PretrainConfig.model_validate(found.model_dump(mode="json")) == found
    assert found.data() == DataSettings(row_tokens=256, mixture=MixtureStages())


def nested(model):
    yield model
    for field in model.model_fields.values():
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from nested(kind)


@pytest.mark.parametrize("model", sorted(set(nested(PretrainConfig)), key=lambda model: model.__name__))
def test_every_field_is_described_and_unknown_keys_are_refused(model):
    """So that the page of configs has a line for each."""
    assert model.model_config["extra"] == "forbid"
    assert all(field.description for field in model.model_fields.values()), model


@pytest.mark.parametrize(
    "path",
    [path for path in settings_file.shipped() if path.stem.startswith("pretrain-")],
    ids=lambda p: p.stem,
)
def test_a_shipped_config_is_right(path):
    """It loads, goes by its bare name, and says why beside its values."""
    found = configs.load(str(path))

    assert configs.load(path.stem) == found
    assert found.name == path.stem
    assert path.read_text("utf-8").count("#") > 15


def test_an_unknown_bare_name_lists_those_that_ship():
    """As for recipes."""
    with pytest.raises(ChejilError, match="no config 'pretrain-9b'") as caught:
        configs.load("pretrain-9b")
    assert "pretrain-1b3" in str(caught.value)


def test_the_debug_config_is_small():
    """A million parameters, one process, some hundred steps."""
    found = configs.load("pretrain-debug")

    assert 0.9e6 < found.model.resolved().parameters < 1.2e6
    assert found.device == "cpu"
    assert 100 <= found.steps <= 500
