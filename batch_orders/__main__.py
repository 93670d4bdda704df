"""`python -m batch_orders`, and the command `batch-orders`."""

from __future__ import annotations

import gc
import os
import signal
import sys

from batch_orders import __version__

# "Stopped early": see the command line's exit codes.
_INTERRUPTED = 6
# Nearly all that is made here lives until the end: looking through it for cycles each 700 objects, as Python does by
# itself, takes a fifth of a `check`. The modules alone are some 180,000.
_OBJECTS_BETWEEN_TWO_LOOKS = 500_000


def _leave(*_: object) -> None:
    """An interrupt while the program is still loading: nothing was begun. Sending has handlers of its own."""
    os._exit(_INTERRUPTED)


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] == ["--version"]:
        # The same words as the command line's own, without the time that it takes to load.
        sys.stdout.write(f"batch-orders, version {__version__}\n")
        return
    gc.set_threshold(_OBJECTS_BETWEEN_TWO_LOOKS)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    from batch_orders.cli import run  # noqa: PLC0415 - costly

    code = run(sys.argv[1:])
    for number in (signal.SIGINT, signal.SIGTERM):
        # Python gives its handlers up before it has ended: an interrupt then would have a code of its own.
        signal.signal(number, signal.SIG_IGN)
    # Python would look through all that was loaded once more for cycles, which the system frees anyway.
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
