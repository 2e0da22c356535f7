"""A lab: what is made in it is gone when it ends, in whichever way."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen
from types import TracebackType
from typing import IO, Protocol, Self, TypeVar

from mcastd_lab.agent import RunningAgent
from mcastd_lab.errors import LabError
from mcastd_lab.leftovers import Directory, remove_leftovers
from mcastd_lab.namespaces import Namespace
from mcastd_lab.processes import start, stop


class Closable(Protocol):
    def close(self) -> None: ...


T = TypeVar("T", bound=Closable)


class Lab:
    """A context; inside it, namespaces, and all that is to be closed before they are."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """LabError without root."""
        if os.geteuid() != 0:
            raise LabError("network namespaces need root: run it with sudo")
        remove_leftovers()
        self.directory = self.keep(Directory()).path
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def keep(self, made: T) -> T:
        """Closes it with the lab, before what was made earlier."""
        self._stack.callback(made.close)
        return made

    def namespace(self, label: str) -> Namespace:
        return self.keep(Namespace(label))

    def process(
        self, namespace: Namespace, *command: str | Path, output: int | IO[bytes] | None = None
    ) -> Popen[bytes]:
        """Runs in the namespace until the lab ends; `output` takes its standard output."""
        process = start(namespace, [str(each) for each in command], output=output)
        self._stack.callback(stop, process)
        return process

    def agent(
        self,
        namespace: Namespace,
        *arguments: str | Path,
        shows_log: bool = False,
        wrapper: Sequence[str] = (),
    ) -> RunningAgent:
        """`mcastd run`, ready; its log goes to standard error or is kept for `RunningAgent.log`."""
        texts = [str(each) for each in arguments]
        made = RunningAgent(namespace, texts, self.directory, shows_log=shows_log, wrapper=wrapper)
        return self.keep(made)
