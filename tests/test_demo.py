"""The demo, as a new user runs it."""

import pytest

from chejil.curation import manifest
from chejil.curation.demo import demo
from chejil.curation.progress import Silent


@pytest.mark.slow
def test_the_demo_catches_what_it_planted(tmp_path):
    """Exact defects without exception, clean documents kept without exception; the law holds in the run."""
    done = demo.sample(tmp_path / "corpus", str(tmp_path / "run"), 1, Silent())
    rows = {row["kind"]: row for row in done.caught}

    def share(kind):
        return rows[kind]["caught"] / rows[kind]["planted"]

    for kind in ("exact_copy", "whitespace_variant", "case_punctuation_variant", "nfd_decomposed: copy", "empty",
                 "html_entities_left", "zero_width", "repeated_lines", "near_dup_word_edit: 1_percent"):  # fmt: skip
        assert share(kind) == 1, rows[kind]
    for kind in rows:
        if kind.startswith(("quarantine", "other_language", "mojibake", "keyboard_mash")):
            assert share(kind) == 1, rows[kind]
    for kind in rows:
        if kind.startswith(("personal data", "look-alike", "machine_spam", "boilerplate_only")):
            assert share(kind) == 1, rows[kind]
    assert share("clean documents kept") > 0.99
    assert done.run.documents == 6000
    assert manifest.verify(done.root) == []


@pytest.mark.slow
def test_the_demo_can_be_run_again(tmp_path):
    """The corpus is the same bytes, so only reading is done again; the answer is the same."""
    first = demo.sample(tmp_path / "corpus", str(tmp_path / "run"), 1, Silent())
    second = demo.sample(tmp_path / "corpus", str(tmp_path / "run"), 1, Silent())

    assert second.caught == first.caught
    assert second.run.units_done == 9
