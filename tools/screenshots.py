"""Pictures of a report: every page at phone, laptop and wall size, light and dark.

    python -m tools.screenshots REPORT.html FOLDER [PAGE…]

Needs Playwright and a Chromium; CHROMIUM names one that is not at a usual place.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["BROWSER_FLAGS", "chromium", "main", "take"]

SIZES = {"phone": (390, 844), "laptop": (1440, 900), "wall": (2560, 1440)}
THEMES = ("light", "dark")
PAGES = (
    "summary",
    "matrix",
    "implementations",
    "documents",
    "accuracy",
    "conventions",
    "ledger",
    "modes",
    "speed",
    "kills",
    "losses",
    "environment",
    "case",
)
BROWSER_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
"""Containers run as root and have no GPU; a report must not cause traffic, so the browser must not either."""


def chromium() -> str | None:
    """Path of a Chromium or Chrome, or None."""
    named = os.environ.get("CHROMIUM")
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return named or next((path for path in found if path), None)


def take(report: Path, folder: Path, pages: Sequence[str] = PAGES) -> list[Path]:
    """Write one PNG per page, size and theme into `folder`; the page `case` is the gravest case."""
    # Only this command needs a browser driver; the tests that take its names skip without one.
    from playwright.sync_api import sync_playwright

    browser_path = chromium()
    if browser_path is None:
        raise FileNotFoundError("no Chromium found; install one (Debian: apt-get install chromium) or set CHROMIUM")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=BROWSER_FLAGS)
        for size, (width, height) in SIZES.items():
            for theme in THEMES:
                tab = browser.new_page(
                    viewport={"width": width, "height": height}, color_scheme="dark" if theme == "dark" else "light"
                )
                tab.goto(report.resolve().as_uri())
                for page in pages:
                    if page != "case" and not tab.locator(f'section[data-page="{page}"]').count():
                        continue  # some pages are there only when there is something to show
                    tab.evaluate("hash => { location.hash = hash }", _hash(tab, page))
                    while not tab.evaluate(_SETTLED):
                        tab.wait_for_timeout(20)  # until the cells are unpacked; polling inside is against its policy
                    path = folder / f"{page}-{size}-{theme}.png"
                    tab.screenshot(path=path)
                    written.append(path)
                tab.close()
        browser.close()
    return written


_SETTLED = """() => {
  const article = document.querySelector("article.casepage.here");
  const ready = document.querySelector("select[name=status]").options.length > 1;
  return ready && (!article || article.matches(".rendered"));
}"""


def _hash(tab: Page, page: str) -> str:
    if page != "case":
        return f"#page={page}"
    worst = tab.locator(".worst li a")
    chosen = worst if worst.count() else tab.locator(".grid tbody th a")
    return str(chosen.first.get_attribute("href"))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.screenshots", description=__doc__.split("\n")[0])
    parser.add_argument("report", type=Path, metavar="REPORT.html")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("pages", nargs="*", metavar="PAGE", default=PAGES, help=f"among {', '.join(PAGES)}")
    options = parser.parse_args(arguments)
    for path in take(options.report, options.folder, options.pages or PAGES):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
