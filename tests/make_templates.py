"""Makes `templates/new-hires-template.xlsx` and its CSV twin from the sandbox's catalog.

    python -m tests.make_templates

Deterministic: the same catalog gives the same bytes (with the same versions of openpyxl and zlib).
"""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from batch_orders.adapters.device_hub import DeviceHub, HubOptions
from batch_orders.adapters.template_xlsx import render_template, render_template_csv
from batch_orders.sandbox import SandboxOptions, running
from tests.make_samples import timeless

if TYPE_CHECKING:
    from batch_orders.models import Catalog

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
# When the committed ones were made: the catalog of a simulated Device Hub has no date of its own.
MADE_ON = dt.date(2026, 11, 24)


def sandbox_catalog() -> Catalog:
    """What the simulated Device Hub can deliver, as the program fetches it."""

    async def fetch(hub: HubOptions) -> Catalog:
        async with DeviceHub(hub, note=print) as client:
            return await client.fetch_catalog()

    with running(SandboxOptions()) as hub:
        login = {"base_url": hub.base_url, "client_id": hub.client_id, "client_secret": hub.client_secret}
        return asyncio.run(fetch(HubOptions(**login, timeout=30, patience=60)))


if __name__ == "__main__":
    _catalog = sandbox_catalog()
    (TEMPLATES / "new-hires-template.xlsx").write_bytes(timeless(render_template(_catalog, MADE_ON)))
    (TEMPLATES / "new-hires-template.csv").write_bytes(render_template_csv(_catalog, MADE_ON))
