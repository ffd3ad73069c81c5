"""The plan of the published run, and of runs worked out by hand; warnings; the command."""

import json
import re

import orjson
import pytest

from chejil.cli import main
from chejil.curation import settings_file
from chejil.errors import ChejilError
from chejil.training import config as configs
from chejil.training.planning import devices
from chejil.training.planning.compute_plan import Hardware, plan

PUBLISHED = Hardware(gpus=256, device="a100-80g", mfu=0.198)


def recipe(*settings):
    return configs.load("pretrain-1b3", settings)


def kinds(found):
    return [warned.kind for warned in found.warnings]


def write_tokens(folder, groups, num_ids=50_257):
    """A manifest as `chejil encode` writes it, without the shards."""
    folder.mkdir()
    rows = [
        {"source": source, "lang": lang, "documents": docs, "tokens": tokens, "bytes": size}
        for source, lang, docs, tokens, size in groups
    ]
    content = {"format": "chejil tokens 1", "num_ids": num_ids, "groups": rows}
    (folder / "manifest.json").write_bytes(orjson.dumps(content))
    return str(folder)


def test_the_published_run_is_reproduced():
    """49,152 A100 hours are 8 days of 256, and 19.78 % by 6·1.3e9·1.4e12; 19.8 % are a thousandth less."""
    rounded = plan(recipe(), PUBLISHED).as_dict()
    exact = plan(recipe(), Hardware(256, "a100-80g", 6 * 1.3e9 * 1.4e12 / (49_152 * 3600 * 312e12)))

    assert rounded["gpu_hours"] == pytest.approx(49_152, rel=2e-3)
    assert exact.cost.gpu_hours == pytest.approx(
        49_152, rel=1e-5
    )  # 333,787 whole steps are 3 millionths more
    assert rounded["days"] == pytest.approx(8.0, abs=0.01)
    assert rounded["flops"]["formula"] == "6n-named"
    assert {row["formula"]: round(row["mfu"], 3) for row in rounded["formulas"]} == {
        "6n-named": 0.198, "6n-body": 0.188, "6n": 0.204, "6n-all": 0.219, "6n+6lht": 0.234, "6n+12lht": 0.265,
    }  # fmt: skip


def test_the_published_run_at_forty_per_cent():
    """24,983 hours of an A100 would do at 312 TFLOP/s (field notes, B1), 4.1 days of 256."""
    found = plan(recipe(), Hardware(256, "a100-80g", 6 * 1.3e9 * 1.4e12 / (24_983 * 3600 * 312e12)))

    assert found.hardware.mfu == pytest.approx(0.389, abs=1e-3)
    assert plan(recipe("flops=6n"), Hardware(256, "a100-80g", 0.4)).cost.gpu_hours == pytest.approx(
        24_983, rel=2e-4
    )


def test_steps_and_batch_by_hand():
    """1.4e12 / 4,194,304 rounded up; 1,024 rows are 4 a GPU, one micro batch of 4."""
    found = plan(recipe(), PUBLISHED).as_dict()

    assert found["steps"] == 333_787
    assert found["tokens"] == 333_787 * 4_194_304
    assert found["batch"]["accumulation_steps"] == 1
    assert found["tokens_per_second"] == pytest.approx(found["tokens"] / (found["hours"] * 3600))
    assert found["parameters"]["all"] == 1_439_270_912
    assert found["parameters"]["named_is"] == "body + one vocabulary matrix"
    assert found["memory"]["total"] < 80e9


def test_the_published_mixture_is_of_the_published_tokens():
    """100 B Korean and 1.3 T English, within a percent, and no source above its cap."""
    found = plan(recipe(), PUBLISHED)
    korean = sum(row.tokens for row in found.sources if row.source.endswith("/ko"))

    assert korean == pytest.approx(100e9, rel=0.01)
    assert found.tokens - korean == pytest.approx(1.3e12, rel=0.01)
    assert {"epoch_cap", "epochs"}.isdisjoint(kinds(found))


def test_the_published_vocabulary_does_not_divide_by_the_published_gpus():
    """50,304 / 256 = 196.5; the vocabulary that the warning names does, and warns no more."""
    found = plan(recipe("sharding.kind=fsdp"), PUBLISHED)
    (warned,) = [warned for warned in found.warnings if warned.kind == "vocabulary"]

    assert "50,304" in warned.what
    assert "196.5" in warned.what
    setting = re.search(r"model\.vocab=\d+", warned.mend)[0]
    assert setting == "model.vocab=50432"
    assert "vocabulary" not in kinds(plan(recipe("sharding.kind=fsdp", setting), PUBLISHED))


@pytest.mark.parametrize(
    ("settings", "hardware", "kind"),
    [
        ((), Hardware(3), "batch"),
        (("micro_batch_rows=3",), Hardware(256), "batch"),
        ((), Hardware(4096), "batch"),
        (("sharding.group_ranks=6",), Hardware(256), "sharding"),
        (("model.vocab=50257",), Hardware(1), "vocabulary"),
        (("micro_batch_rows=16",), Hardware(8), "memory"),
        ((), Hardware(8, "abacus", 0.4, 1.0), "memory"),
        (("mixture.max_epochs={mc4-ko: 3}",), PUBLISHED, "epoch_cap"),
        (("mixture.max_epochs={}", "expected.c4/en.tokens=1e9"), PUBLISHED, "epochs"),
        ((), PUBLISHED, "unknown_size"),
        ((), PUBLISHED, "tokens"),
    ],
)
def test_what_is_wrong_is_warned_of(settings, hardware, kind):
    """Each with how to mend it."""
    found = plan(recipe(*settings), hardware)

    assert kind in kinds(found)
    assert all(warned.mend for warned in found.warnings)


def test_a_plan_without_faults_warns_of_nothing(tmp_path):
    """Enough data, whole batches, a vocabulary that divides."""
    tokens = write_tokens(tmp_path / "t", [("a", "ko", 1000, 10_000_000, 40_000_000)])
    settings = (f"tokens=[{tokens}]", "mixture={}", "model.vocab=50432", "total_tokens=30e6")

    assert plan(recipe(*settings, "schedule.warmup_steps=2"), PUBLISHED).warnings == []


def test_sizes_come_from_token_shards(tmp_path):
    """Epochs of what was encoded, short documents, and a tokenizer with more ids than the model has rows."""
    tokens = write_tokens(tmp_path / "t", [("a", "ko", 100_000, 10_000_000, 40_000_000)], num_ids=60_000)
    settings = (f"tokens=[{tokens}]", "mixture={}", "total_tokens=100e6", "schedule.warmup_steps=2")

    found = plan(recipe(*settings), Hardware(8))

    assert found.sources[0].epochs == pytest.approx(100e6 / 10e6, rel=0.01)
    assert found.sources[0].measured
    assert {"tokenizer", "context", "epochs"} <= set(kinds(found))


def test_a_source_that_the_shards_do_not_hold_is_told(tmp_path):
    """The training would be refused; the plan says it first."""
    tokens = write_tokens(tmp_path / "t", [("c4", "en", 1000, 10_000_000, 40_000_000)])

    assert "missing_source" in kinds(plan(recipe(f"tokens=[{tokens}]"), PUBLISHED))


def test_what_are_no_token_shards_is_refused(tmp_path):
    """A manifest of something else."""
    (tmp_path / "manifest.json").write_text('{"format": "something else"}', "utf-8")

    with pytest.raises(ChejilError, match="no token shards"):
        plan(recipe(f"tokens=[{tmp_path}]"), Hardware(1))


@pytest.mark.parametrize(
    ("hardware", "what", "mend"),
    [
        (Hardware(1, "a100-80gb"), "no device 'a100-80gb'", "a100-80g"),
        (Hardware(1, "zz"), "no device 'zz'", "h100-sxm"),
        (Hardware(1, mfu=0), "MFU of 0", "0.4"),
        (Hardware(1, mfu=40), "MFU of 40", "0.4"),
        (Hardware(0), "0 GPUs", "--gpus"),
        (Hardware(1, peak_tflops=-1), "peak of -1", "312"),
    ],
)
def test_impossible_hardware_is_refused(hardware, what, mend):
    """A device that is not known is never taken for another."""
    with pytest.raises(ChejilError, match=what) as caught:
        plan(recipe(), hardware)
    assert mend in str(caught.value)


def test_a_peak_stands_in_for_an_unknown_device():
    """Half of an A100's peak takes twice as long."""
    hours = plan(recipe(), Hardware(8, "a100-80g", 0.4)).cost.gpu_hours

    assert plan(recipe(), Hardware(8, "abacus", 0.4, 156.0)).cost.gpu_hours == pytest.approx(2 * hours)


@pytest.mark.parametrize(
    ("called", "name"),
    [
        ("NVIDIA A100-SXM4-80GB", "a100-80g"),
        ("NVIDIA A100 80GB PCIe", "a100-80g"),
        ("NVIDIA A100-SXM4-40GB", "a100-40g"),
        ("NVIDIA H100 80GB HBM3", "h100-sxm"),
        ("NVIDIA H100 PCIe", "h100-pcie"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA H200 NVL", "h200-nvl"),
        ("NVIDIA L40S", "l40s"),
        ("NVIDIA L4", "l4"),
        ("NVIDIA B200", "b200"),
        ("NVIDIA GB200", "gb200"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("AMD Instinct MI300X", "mi300x"),
        ("NVIDIA GeForce RTX 4090 D", "rtx-4090"),
        ("NVIDIA GeForce GTX 1080", None),
        ("Apple M3", None),
    ],
)
def test_a_device_goes_by_the_name_that_its_driver_gives(called, name):
    """For the MFU of a training; what is not known is None."""
    assert devices.by_driver_name(called) == name


def test_peaks_are_dense():
    """Data sheets print twice as much with sparsity; the bf16 peaks that the field reckons with."""
    peaks = {name: one.bf16_tflops for name, one in devices.devices().items()}

    assert (peaks["a100-80g"], peaks["a100-40g"], peaks["h100-sxm"], peaks["h200"]) == (312, 312, 989, 989)
    assert (peaks["h100-pcie"], peaks["l40s"], peaks["rtx-4090"], peaks["mi300x"]) == (756, 362, 165.2, 1307)
    assert all(one.source for one in devices.devices().values())


def test_the_command_prints_json(capsys):
    """`gpu_hours` on top, and no NaN."""
    path = str(next(path for path in settings_file.shipped() if path.stem == "pretrain-1b3"))
    with pytest.raises(SystemExit) as ended:
        main(["plan", path, "--gpus", "256", "--device", "a100-80g", "--mfu", "0.198", "--json"])
    found = json.loads(capsys.readouterr().out)

    assert ended.value.code in (0, None)
    assert found["gpu_hours"] == pytest.approx(49_152, rel=2e-3)
    assert "NaN" not in json.dumps(found)


def test_the_command_prints_tables(capsys):
    """Hours, convention, counts, memory, and warnings with their cure."""
    with pytest.raises(SystemExit):
        main(["plan", "pretrain-1b3", "--gpus", "256", "--mfu", "0.198"])
    out = capsys.readouterr().out

    assert "49,102 GPU hours, 8.0 days on 256" in out
    assert "→ 6n-named" in out
    assert "1,439,270,912" in out
    assert "31.8 GB of 80 GB" in out
    assert "model.vocab=50432" in out
