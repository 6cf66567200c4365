"""How large a report is and how fast it answers, measured in headless Chromium.

    python -m tools.measure_report REPORT.html

Prints bytes, elements, first paint, and for each filter the milliseconds from the input until the next frame is drawn
(median of five). Needs Playwright and a Chromium, as `tools.screenshots` does.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.screenshots import BROWSER_FLAGS, chromium

__all__ = ["main", "measure"]

_FILTERS = (
    ("status", "disagrees"),
    ("dtype", "float16"),
    ("q", "softmax"),
    ("implementation", "torch"),
    ("sort", "error"),
)
_TIMES = 5

_ONE_FILTER = """async ([name, value]) => {
  const field = document.getElementById("filters").elements[name];
  const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  await frame();
  const start = performance.now();
  field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.dispatchEvent(new Event("change", { bubbles: true }));
  await new Promise((done) =>
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = done;
      channel.port2.postMessage(0);
    }),
  );
  return performance.now() - start;
}"""
"""A message posted inside an animation frame arrives after that frame's layout and paint."""


def measure(report: Path) -> list[tuple[str, str]]:
    """Names and values, in the order in which they are printed."""
    # Only these commands need a browser driver; the rest of the package is imported without one.
    from playwright.sync_api import sync_playwright

    found = [("size", f"{report.stat().st_size / 1e6:.2f} MB")]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=BROWSER_FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(report.resolve().as_uri())
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        found.append(("first contentful paint", f"{paint:.0f} ms"))
        found.append(("elements", f"{page.evaluate('document.getElementsByTagName(`*`).length'):,}"))
        page.evaluate("location.hash = '#page=matrix'")
        while not page.evaluate("document.querySelector('select[name=status]').options.length > 1"):
            page.wait_for_timeout(20)  # until the cells are unpacked; polling inside is against its policy
        for name, value in _FILTERS:
            narrow, widen = [], []
            for _ in range(_TIMES):
                narrow.append(page.evaluate(_ONE_FILTER, [name, value]))
                page.wait_for_timeout(300)  # what is out of view is drawn meanwhile, as when a person reads
                widen.append(page.evaluate(_ONE_FILTER, [name, ""]))
                page.wait_for_timeout(300)
            found.append((f"{name} = {value}", f"{statistics.median(narrow):.0f} ms"))
            found.append((f"{name} cleared", f"{statistics.median(widen):.0f} ms"))
        browser.close()
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.measure_report", description=__doc__.split("\n")[0])
    parser.add_argument("report", type=Path, metavar="REPORT.html")
    for name, value in measure(parser.parse_args(arguments).report):
        print(f"{name:28} {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
