"""The process that apprise runs in: see notifier.py. Run by its path, so that it imports nothing else of ours.

A JSON document comes in: `addresses`, `title`, `body`, `kind`; without a body the addresses are only looked at. A line
goes out for each address, as soon as it is known: its position and "told", "failed" or "wrong"; or just "missing",
where apprise is not installed, or does not work.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from typing import Any


def _look(apprise: Any, address: str, asset: Any) -> Any:  # noqa: ANN401 - whatever apprise's types are in its version
    return apprise.Apprise.instantiate(address, asset=asset)


def _tell(apprise: Any, address: str, asset: Any, asked: dict[str, Any]) -> str:  # noqa: ANN401 - as above
    service = _look(apprise, address, asset)
    if service is None:
        return "wrong"
    if "body" not in asked:
        return "understood"
    told = apprise.Apprise(asset=asset)
    told.add(service)
    sent = told.notify(title=asked["title"], body=asked["body"], notify_type=asked["kind"], body_format="text")
    return "told" if sent else "failed"


def main() -> None:
    """Tell everybody at once: one dead server must not take the others' time."""
    asked = json.load(sys.stdin)
    # The answers' own way out: what a plug-in prints must not mix with them.
    out, sys.stdout = sys.stdout, sys.stderr
    # What apprise logs can hold an address, with the password in it.
    logging.disable(logging.CRITICAL)
    try:
        import apprise  # noqa: PLC0415 - an extra, and costly
    except Exception:  # noqa: BLE001 - missing, or broken: nobody would ever be told
        out.write("missing\n")
        return
    asset = apprise.AppriseAsset(app_id="batch-orders", app_desc="batch-orders", secure_logging=True)
    lock = threading.Lock()

    def tell(position: int, address: str) -> None:
        try:
            answer = _tell(apprise, address, asset, asked)
        except Exception:  # noqa: BLE001 - a plug-in's bug is its own; the others are told all the same
            answer = "failed"
        with lock:
            out.write(f"{position} {answer}\n")
            out.flush()

    threads = [threading.Thread(target=tell, args=each, daemon=True) for each in enumerate(asked["addresses"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os._exit(0)  # apprise's own threads may still hang


if __name__ == "__main__":
    main()
