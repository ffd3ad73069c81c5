"""Other libraries are silent while a block lasts, and then as they were."""

import logging

import pytest

from chejil.training import library_logs


@pytest.fixture
def bars():
    """Whether transformers and datasets draw bars; as it was, behind the test."""
    transformers = pytest.importorskip("transformers.utils.logging")
    datasets = pytest.importorskip("datasets.utils.logging")
    before = [one.is_progress_bar_enabled() for one in (transformers, datasets)]
    yield transformers, datasets
    for one, was_on in zip((transformers, datasets), before, strict=True):
        (one.enable_progress_bar if was_on else one.disable_progress_bar)()


@pytest.mark.parametrize("were_on", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_what_was_there_is_put_back(bars, were_on, fails):
    """Bars that were off stay off, levels are those before, behind an error too."""
    for one in bars:
        (one.enable_progress_bar if were_on else one.disable_progress_bar)()
    names = ("transformers", "datasets", "trl")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    try:
        with library_logs.silenced(*names):
            assert not any(one.is_progress_bar_enabled() for one in bars)
            assert {logger.level for logger in loggers} == {logging.ERROR}
            if fails:
                raise InterruptedError
    except InterruptedError:
        assert fails
    assert [one.is_progress_bar_enabled() for one in bars] == [were_on] * 2
    assert [logger.level for logger in loggers] == levels


def test_a_library_that_is_not_there():
    """Only its logger is touched, which another library may have made."""
    with library_logs.silenced("no_such_library"):
        assert logging.getLogger("no_such_library").level == logging.ERROR
    assert logging.getLogger("no_such_library").level == logging.NOTSET


def test_a_library_that_is_not_installed_is_not_imported(monkeypatch):
    monkeypatch.setattr(library_logs, "find_spec", lambda _: None)
    monkeypatch.setattr(library_logs.importlib, "import_module", lambda name: pytest.fail(name))
    with library_logs.silenced("transformers"), library_logs.no_bars("datasets"):
        pass
