# `docker/local test browser`: martlet.js under a gateway that follows a script, in Node, and against real nodes, in
# Chromium. Playwright comes from PyPI into a folder of the build's own, and brings its Node with it.

browser_packages=(chromium python3-venv)
playwright=.build/browser-tests
playwright_version=1.65.2

browser_tests() {
    need_playwright || return
    local node
    node=$("$playwright/bin/python" -c \
        'from playwright._impl._driver import compute_driver_executable as paths; print(paths()[0])') || return
    timeout --kill-after=10 300 "$node" --test Tests/BrowserTests/*.test.mjs || return
    CHROMIUM=$(command -v chromium) timeout --kill-after=10 600 \
        "$playwright/bin/python" -B Tests/BrowserTests/browser_test.py
}

need_playwright() {
    [[ ! -e $playwright/version || $(<"$playwright/version") != "$playwright_version" ]] || return 0
    say "Installing Playwright from PyPI, into $playwright"
    rm -rf "$playwright"
    python3 -m venv "$playwright" || return
    "$playwright/bin/pip" install --quiet --disable-pip-version-check "playwright==$playwright_version" || return
    printf '%s\n' "$playwright_version" >"$playwright/version"
}
