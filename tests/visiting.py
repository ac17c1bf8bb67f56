"""A visit to the app in a real browser; what it looks like goes to the ignored folder `outputs/screens`."""

import shutil
from collections.abc import Callable
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FAKE_CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]

SCREENS = Path(__file__).parents[1] / "outputs" / "screens"
WAIT = 20_000
"""Milliseconds."""
CUT_OFF = ("error: AbortError: ", "error: Unexpected error Connection errored out")
"""What Gradio says on the console of requests that a reload cuts off."""


class Visit:
    """A page of the app, and what it said and asked for."""

    def __init__(self, page, url: str, query: str = "") -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: set[str] = set()
        page.set_default_timeout(WAIT)
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("request", lambda request: self.asked.add(request.url))
        self.url = url
        page.goto(url + query)
        self.panel.locator(".numbers").wait_for()

    @property
    def panel(self):
        """The open tab."""
        return self.page.get_by_role("tabpanel").filter(visible=True).first

    @property
    def tabs(self) -> list[str]:
        """The titles of all tabs that the page has."""
        parts = self.page.evaluate("window.gradio_config.components")
        titles = [part["props"]["label"] for part in parts if part["type"] == "tabitem"]
        assert titles
        return titles

    def open(self, title: str) -> None:
        tab = self.page.get_by_role("tab", name=title).first
        if not tab.is_visible():
            self.page.locator(".overflow-menu button").first.click()
            tab = self.page.locator(".overflow-dropdown button", has_text=title)
        tab.click()
        chosen = self.page.locator("[role=tab][aria-selected=true]", has_text=title)
        chosen.first.wait_for(state="attached")
        self.page.wait_for_timeout(300)

    def reload(self) -> None:
        before = len(self.said)
        self.page.reload()
        self.said[before:] = [line for line in self.said[before:] if not line.startswith(CUT_OFF)]

    def unfold(self, title: str) -> None:
        """Open an accordion of the tab."""
        self.panel.get_by_role("button", name=title).first.click()
        self.page.wait_for_timeout(300)

    @property
    def slider(self):
        """The first slider for the noise."""
        return self.panel.locator(".controls").get_by_role("slider").first

    def choose(self, side: str, title: str) -> None:
        """Let something stand left or right."""
        self.panel.get_by_label(side, exact=True).click()
        self.page.get_by_role("option", name=title, exact=True).click()
        # A list stays for a moment, and the other side's has the same titles.
        self.page.get_by_role("option").first.wait_for(state="hidden")

    def table(self) -> str:
        """What was measured: PSNR left and right, and the gain."""
        return self.panel.locator(".psnr").inner_text()

    def wait_until(self, condition: Callable[[], bool]) -> None:
        for _ in range(WAIT // 100):
            if condition():
                return
            self.page.wait_for_timeout(100)
        raise AssertionError("it did not come to pass in time")

    def wait_for_table_other_than(self, before: str) -> None:
        self.wait_until(lambda: self.table() != before)

    def keep(self, name: str) -> None:
        self.page.wait_for_timeout(300)
        self.page.screenshot(path=SCREENS / f"{name}.png", full_page=True)

    def assert_quiet(self) -> None:
        """Nothing left the host, and the console holds no error; what Gradio warns of is its own."""
        errors = [line for line in self.said if line.startswith("error")]
        strangers = [url for url in self.asked if not url.startswith((self.url, "data:", "blob:"))]
        assert not errors and not strangers, "\n".join(errors + strangers)


GRADIOS_OWN = {
    # What adds files to those that are chosen is a button in a button; the inner one has a name, and works.
    ("nested-interactive", "button[aria-label='common.upload']"),
}
"""Rules and selectors of what Gradio's own markup breaks, and nothing here can mend."""


def serious_faults(page) -> list[str]:
    """What axe-core finds that is serious or critical: the rule, the element, and what is wrong with it."""
    # Not above, for whoever runs the other tests without Playwright.
    from axe_playwright_python.sync_playwright import Axe

    def is_gradios_own(rule: str, target: str) -> bool:
        element = page.locator(target).first
        matches = "(element, selector) => element.matches(selector)"
        return any(element.evaluate(matches, selector) for known, selector in GRADIOS_OWN if known == rule)

    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]}: {node['failureSummary']}"
        for rule in Axe().run(page).response["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
        if not is_gradios_own(rule["id"], node["target"][0])
    ]
