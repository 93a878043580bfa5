"""A headless Chromium for the tests of a class."""

import os
import time
import unittest

from playwright.sync_api import sync_playwright


class ChromiumTests(unittest.TestCase):
    executable = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    arguments = ["--no-sandbox", "--disable-gpu"]

    @classmethod
    def setUpClass(cls):
        cls.playwright = sync_playwright().start()
        cls.chromium = cls.playwright.chromium.launch(
            executable_path=cls.executable, args=cls.arguments, timeout=120_000)

    @classmethod
    def tearDownClass(cls):
        cls.chromium.close()
        cls.playwright.stop()

    def page(self):
        page = self.chromium.new_page()
        self.addCleanup(page.close)
        page.set_default_timeout(60_000)
        return page

    def until(self, page, expression, argument=None):
        """Waits until it holds; asked from without, where no policy of the page forbids it."""
        end = time.monotonic() + 60
        while not page.evaluate(expression, argument):
            self.assertLess(time.monotonic(), end, f"{expression} {argument}")
            page.wait_for_timeout(20)
