"""A page looked at as many people see it: light and dark, wide and narrow, twice as large, and by axe-core."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.browser.windows import NARROW, WIDE

if TYPE_CHECKING:
    from playwright.sync_api import Page

_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_RUN = """async (rules) => {
  const found = await axe.run({ runOnly: rules, resultTypes: ["violations"] });
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.slice(0, 3).map((node) => `${id}: ${node.html.slice(0, 160)} ${node.failureSummary.split("\\n").slice(-1)}`));
}"""
_BEYOND = """() => {
  const wide = document.documentElement.scrollWidth;
  if (wide <= innerWidth) { return ""; }
  const far = [...document.querySelectorAll("main *, .top *, .bar *")].filter((one) =>
    one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".scroll"));
  return `${wide} > ${innerWidth}: ${far.slice(0, 3).map((one) => one.outerHTML.slice(0, 120)).join(" | ")}`;
}"""


@dataclass
class Looks:
    """Every page that was looked at, and what was wrong with it."""

    axe: str
    seen: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def at(self, page: Page, name: str) -> None:
        """Look at what the window shows now in both themes and sizes; nothing may stand beyond the edge."""
        self.seen.append(name)
        page.evaluate(self.axe)
        for size in (WIDE, NARROW):
            page.set_viewport_size(size)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                where = f"{name}, {scheme}, {size['width']} px"
                self.wrong += [f"{where}: {told}" for told in page.evaluate(_RUN, list(_RULES))]
            self._within(page, f"{name}, {size['width']} px")
        # 1280 px at 200 %: half as many pixels of CSS, each of them twice as large.
        session = page.context.new_cdp_session(page)
        twice = {"width": 640, "height": 450, "deviceScaleFactor": 2, "mobile": False}
        session.send("Emulation.setDeviceMetricsOverride", twice)
        self._within(page, f"{name}, 200 %")
        session.send("Emulation.clearDeviceMetricsOverride")
        session.detach()
        page.set_viewport_size(WIDE)

    def _within(self, page: Page, where: str) -> None:
        if beyond := page.evaluate(_BEYOND):
            self.wrong.append(f"{where} is wider than its window: {beyond}")
