"""The child: opens one file as a run would, and says whether it survived.

Reads a request from standard input and writes JSON lines to standard output: ``ready`` once everything of ours is
loaded, ``at`` before each library is let at the file, and at last ``ok``, ``error`` or ``defect``.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

from edge_us.errors import EdgeUsError

Say = Callable[..., None]


def main() -> None:
    """Answer one request; leaves without tidying up, because that is where a spoilt library crashes, too."""
    with os.fdopen(os.dup(1), "w", buffering=1) as out:
        os.dup2(2, 1)  # libraries may print what they want

        def say(**words: Any) -> None:
            out.write(json.dumps(words) + "\n")

        request = json.loads(sys.stdin.read())
        signal.alarm(request["limit_s"])  # should the parent be killed, this process does not stay
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold the picture
        try:
            _WAYS[request["kind"]](request, say)
            say(ok=True)
        except EdgeUsError as error:
            say(error=[type(error).__name__, error.message, error.hint])
        except Exception as error:  # a defect of ours: the parent meets it again, where it can be seen
            say(defect=repr(error))
    os._exit(0)


def _open_source(request: dict[str, Any], say: Say) -> None:
    from edge_us.capture.open import open_source
    from edge_us.probe.libraries import of_source

    say(ready=True)
    say(at=of_source(request["uri"]))
    timeout_s = request["connect_timeout_s"]
    with open_source(request["uri"], connect_timeout_s=timeout_s) as source:
        source.read(timeout_s)


_COMPUTES = {
    "onnxruntime": ("onnxruntime",),
    "tensorrt": ("tensorrt",),
    "onnxruntime-cuda": ("onnxruntime", "onnxruntime-gpu"),
}


def _open_network(request: dict[str, Any], say: Say) -> None:
    from edge_us.classify.model import load_classifier
    from edge_us.inference.backend import BackendName, Network, Precision
    from edge_us.inference.backends import open_backend
    from edge_us.inference.model import load_model
    from edge_us.probe.libraries import named
    from edge_us.runtime.engine import warm_up

    say(ready=True)
    say(at=named("onnxruntime"))
    is_classifier = request["kind"] == "classifier"
    network: Network = load_classifier(request["path"]) if is_classifier else load_model(request["path"])
    backend = BackendName(request["backend"])
    say(at=named(*_COMPUTES.get(backend.value, ("openvino", "onnxruntime"))))
    warm_up(network, open_backend(network, backend, Precision(request["precision"])))


_WAYS: dict[str, Callable[[dict[str, Any], Say], None]] = {
    "source": _open_source,
    "model": _open_network,
    "classifier": _open_network,
}


if __name__ == "__main__":
    main()
