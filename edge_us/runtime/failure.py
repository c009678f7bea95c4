"""`Failure`: why networks do not work, in words for people and in what follows from it."""

from __future__ import annotations

from dataclasses import dataclass

from edge_us.errors import EdgeUsError, GpuLostError


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an inference, or building networks anew, came to nothing.

    Attributes
    ----------
    message : str
        What happened.
    hint : str
        What to do about it; empty where nobody knows.
    hangs : bool
        A thread is still in the networks: whoever closes them would hang as well.
    lasts : bool
        The same networks cannot work again in this process.
    """

    message: str
    hint: str = ""
    hangs: bool = False
    lasts: bool = False

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """What an error says; one that is not ours says its kind as well."""
        if isinstance(error, EdgeUsError):
            return cls(error.message, error.hint, lasts=isinstance(error, GpuLostError))
        return cls(f"{type(error).__name__}: {error}")

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message
