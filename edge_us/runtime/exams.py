"""`ExamSwitch`: what is examined, changed while a run goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edge_us.errors import UsageError
from edge_us.runtime.failure import Failure
from edge_us.runtime.networks import Networks
from edge_us.runtime.wanted import model_name

if TYPE_CHECKING:
    from edge_us.capture.source import SourceKind
    from edge_us.config import RunConfig
    from edge_us.finding import Exam
    from edge_us.runtime.analyser import Analyser


class ExamSwitch:
    """What is examined, or will be as soon as the networks for it are open.

    Attributes
    ----------
    wanted : Exam
    """

    def __init__(self, config: RunConfig, warn: Callable[[str], None] = lambda _: None) -> None:
        self._config = config
        self._warn = warn
        self.wanted: Exam = config.exam

    def change(self, exam: Exam) -> None:
        """Examine something else from now on; may be called from any thread and from a signal handler.

        A live picture goes on while the networks are opened. Where they cannot be, the exam stays, and a warning of the
        report says why.

        Raises
        ------
        UsageError
            A bundle is kept: its replay could not tell.
        ModelError
            No shipped model finds what the exam looks for.
        """
        if self._config.bundle is not None:
            raise UsageError("a bundle keeps one exam", "Stop, and begin another bundle with --exam.")
        model_name(self._config.model_copy(update={"exam": exam}))
        self.wanted = exam

    def apply(self, networks: Networks, kind: SourceKind) -> Analyser | None:
        """The analyser of the exam that is wanted; None where nothing changes, or it cannot be had."""
        if self.wanted is networks.exam:  # asked for again while the networks were being opened
            return None
        try:
            return networks.change_exam(self.wanted, kind)
        except Exception as error:  # the picture goes on, and it is not tried again unasked
            told = f"the exam is still {networks.exam.value}: {Failure.of(error)}"
            networks.warnings.append(told)
            self._warn(told)
            self.wanted = networks.exam
            return None
