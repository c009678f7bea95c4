"""What a run opens in a child process before it opens it itself."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol

from edge_us.classify.choose import AUTO, OFF
from edge_us.probe.probe import check_model, probe_source

if TYPE_CHECKING:
    from edge_us.config import RunConfig


class Probing(Protocol):
    """A source that is being opened elsewhere."""

    def result(self) -> None:
        """Wait, and raise what became of it."""
        ...


class _Nothing:
    """For sources that are no files."""

    def result(self) -> None:
        """There is nothing to wait for."""


def probing(config: RunConfig) -> AbstractContextManager[Probing]:
    """A child that begins to open the source now; nothing where it is no file, or no probe is wanted."""
    probe = probe_source(config.source, config.connect_timeout_s) if config.probe else None
    return nullcontext(_Nothing()) if probe is None else probe


def check_networks(config: RunConfig) -> None:
    """Open networks that are not shipped in a child each, and wait for it.

    Raises
    ------
    EdgeUsError
        A network cannot be used, or crashes the library that reads it.
    """
    if not config.probe:
        return
    check_model(config.model, backend=config.backend, precision=config.precision)
    for choice in (config.classifier, config.node_classifier, config.nodal_risk):
        if choice not in (AUTO, OFF):
            check_model(choice, is_classifier=True, backend=config.backend, precision=config.precision)
