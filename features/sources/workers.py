"""Who does what is to be done with each file and each week of a log: this process, or a cluster."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeAlias

from features.engine import Cluster, Made, Task
from features.errors import SourceError
from features.sources.folder import FolderReader, open_files
from features.sources.mapping import SourceMap

Step: TypeAlias = Callable[[FolderReader, Task], Made]
"""What is done for one task, with a reader whose connection may be its own."""


class Workers(Protocol):
    """Does a step for many tasks."""

    def each(self, step: Step[Task, Made], tasks: Sequence[Task]) -> list[Made]:
        """Do a step for each task, and give the results in their order."""
        ...

    def shares(self, files: Sequence[Path]) -> list[Sequence[Path]]:
        """Part files into those that are best taken together."""
        ...


@dataclass(frozen=True)
class Here:
    """The process that checks, one task after the other."""

    reader: FolderReader

    def each(self, step: Step[Task, Made], tasks: Sequence[Task]) -> list[Made]:
        """Do a step for each task."""
        return [step(self.reader, task) for task in tasks]

    def shares(self, files: Sequence[Path]) -> list[Sequence[Path]]:
        """Take all files together."""
        return [files] if files else []


@dataclass(frozen=True)
class OnCluster:
    """The workers of a cluster, which see the source and the work folder by the same paths."""

    cluster: Cluster
    mapping: SourceMap
    work: Path

    def each(self, step: Step[Task, Made], tasks: Sequence[Task]) -> list[Made]:
        """Do a step for each task, wherever there is a free worker.

        Raises
        ------
        SourceError
            As a step raised it.
        """
        found: list[Made | SourceError]
        found = self.cluster.each(partial(_apart, step, self.mapping, self.work), tasks)
        for error in found:
            if isinstance(error, SourceError):
                raise error
        return [made for made in found if not isinstance(made, SourceError)]

    def shares(self, files: Sequence[Path]) -> list[Sequence[Path]]:
        """Take each file for itself."""
        return [[file] for file in files]


def _apart(
    step: Step[Task, Made], mapping: SourceMap, work: Path, task: Task
) -> Made | SourceError:
    reader = open_files(mapping, work)
    try:
        return step(reader, task)
    except SourceError as error:
        return error  # a cluster would pass it on without its class
    finally:
        reader.connection.close()
