"""Units of a stage before or behind a run: what is not done yet is done, by the records of curation/stage.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chejil.curation.executors.local import Executor
from chejil.curation.progress import Progress
from chejil.curation.shards import FileRecord
from chejil.curation.stage import Record, Stage, do, is_done, read_record, unit_key
from chejil.training.conversations.curating.reading import File

POOL_BYTES = 64 << 20
"""Files that are smaller together are done in this process: a pool takes 2 s to start, which is 30 MB of reading."""


@dataclass(slots=True)
class Units:
    """What was done; `failed` says of a shard why it stopped."""

    workers: int
    progress: Progress
    failed: dict[str, str] = field(default_factory=dict)
    num_done: int = 0

    def do(
        self, stage: Stage, root: str, files: Sequence[File], inputs: Mapping[str, list[FileRecord]]
    ) -> dict[str, Record]:
        """Records of the files' units, by shard; those that stop are in `failed`.

        Args:
            root: where the stage writes; its records stand below `work/`.
            inputs: what the unit of each shard reads.
        """
        found, todo = _known(stage, root, files, inputs)
        weights = {one.shard: one.file.size or 0 for one in files if one.shard in todo}
        self.progress.start(stage.name, len(files), len(found), weights)
        calls = [
            (name, do, (stage.unit(root, (name,), None, {}), name, key, stage.function))
            for name, key in todo.items()
        ]
        with Executor(self.workers if sum(weights.values()) > POOL_BYTES else 1) as executor:
            for outcome in executor.do(calls, stage.name):
                if outcome.error is None:
                    found[outcome.name] = outcome.result
                    self.num_done += 1
                else:
                    self.failed[outcome.name] = outcome.error.what
                self.progress.advance(stage.name, outcome.name, str(outcome.error) if outcome.error else None)
        self.progress.finish(stage.name)
        return found


def _known(
    stage: Stage, root: str, files: Sequence[File], inputs: Mapping[str, list[FileRecord]]
) -> tuple[dict[str, Record], dict[str, str]]:
    """Records of what is done, and keys of what is not."""
    found, todo = dict[str, Record](), dict[str, str]()
    for one in files:
        key = unit_key(stage, one.shard, inputs[one.shard])
        record = read_record(root, stage.name, one.shard)
        if record is not None and is_done(root, record, key):
            found[one.shard] = record
        else:
            todo[one.shard] = key
    return found, todo
