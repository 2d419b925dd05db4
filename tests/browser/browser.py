"""A page in a browser without a window, for tests: python3-selenium and chromium-driver from the distribution.

    with Page("page.html", width=400, dark=True) as page:
        page.click("#next")
        check("the cursor moves", page.js("return cursor") == 1)

Errors on the console fail the test when the page is left, and so does an attempt to load something from a
network, which the page's security policy turns into an error on the console. The verdict is the exit code:
call finish() last. It is 77 (skipped) where there is no browser.
"""

import pathlib
import shutil
import sys
import tempfile

failures = 0


def skip(reason):
    print(f"skipped: {reason} (scripts/install_dependencies.sh installs it)")
    sys.exit(77)


try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait
except ImportError:
    skip("python3-selenium is not installed")

browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
if not browser or not driver:
    skip("chromium or chromium-driver is not installed")


def check(what, holds, found=None):
    """Counts a failure unless `holds`; `found` is printed then."""
    global failures
    if holds:
        print(f"ok      {what}")
        return
    failures += 1
    print(f"FAILED  {what}" + ("" if found is None else f": {found!r}"))


def finish():
    if failures:
        print(f"{failures} failed")
    sys.exit(1 if failures else 0)


class Page:
    """One page, loaded from a file. `ready` is a JavaScript expression that becomes true when it has drawn."""

    def __init__(self, path, width=1200, height=900, dark=False, ready="true"):
        self.width = width
        self.name = f"{pathlib.Path(path).name}, {width} px{', dark' if dark else ''}"
        self.profile = tempfile.mkdtemp()
        options = webdriver.ChromeOptions()
        options.binary_location = browser
        # No sandbox: it needs rights that a container may not give, and the pages are our own.
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                         "--hide-scrollbars", f"--user-data-dir={self.profile}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(driver), options=options)
        self.driver.set_script_timeout(300)
        self.driver.set_page_load_timeout(300)
        self.devtools("Emulation.setDeviceMetricsOverride",
                      {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
        self.devtools("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
        self.driver.get(pathlib.Path(path).resolve().as_uri())
        self.wait(ready)

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        if error is None:
            seen = [entry["message"] for entry in self.driver.get_log("browser")
                    if entry["level"] in ("SEVERE", "WARNING")]
            check(f"{self.name}: no error on the console", not seen, seen)
            width = self.js("return document.documentElement.scrollWidth")
            check(f"{self.name}: nothing is wider than the window", width <= self.width, width)
        self.driver.quit()
        shutil.rmtree(self.profile, ignore_errors=True)

    def devtools(self, command, arguments):
        return self.driver.execute_cdp_cmd(command, arguments)

    def js(self, code, *arguments):
        """The value of a JavaScript function with this body."""
        return self.driver.execute_script(code, *arguments)

    def wait(self, expression):
        """Until a JavaScript expression is true: five minutes at most, for a slow machine."""
        WebDriverWait(self.driver, 300, 0.05).until(lambda d: d.execute_script(f"return Boolean({expression})"))

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def click(self, selector):
        self.find(selector).click()

    def text(self, selector):
        return self.find(selector).text

    def press(self, *keys):
        """Keys (selenium.webdriver.common.keys.Keys, or characters) to what has the focus."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def hover(self, selector, dx=0, dy=0):
        """The pointer at an offset from the middle of an element."""
        ActionChains(self.driver).move_to_element_with_offset(self.find(selector), dx, dy).perform()

    def set(self, selector, value):
        """Gives a control a value, as a user would: its handlers run."""
        self.js("""arguments[0].value = arguments[1];
                   for (const e of ["input", "change"]) arguments[0].dispatchEvent(new Event(e, {bubbles: true}));""",
                self.find(selector), value)

    def screenshot(self, path):
        self.driver.save_screenshot(str(path))

    def print_pages(self):
        """Prints; the PDF in base64."""
        return self.devtools("Page.printToPDF", {"printBackground": True})["data"]
