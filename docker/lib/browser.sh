# `docker/local test browser`: martlet.js under a gateway that follows a script, in Node, and against real nodes, in
# Chromium, bare and in React. Playwright comes from PyPI into a folder of the build's own, and brings its Node with it;
# React for pages comes from there as well, in the package dash, whose other files nobody uses; React for Node, the TypeScript
# compiler and what builds the package come from Debian.

browser_packages=(chromium python3-venv esbuild node-typescript node-react node-react-dom)
playwright=.build/browser-tests
browser_needs=(playwright==1.65.2)
# Without what it needs itself.
browser_needs_alone=(dash==4.4.1)

browser_tests() {
    need_playwright || return
    local node
    node=$("$playwright/bin/python" -c \
        'from playwright._impl._driver import compute_driver_executable as paths; print(paths()[0])') || return
    timeout --kill-after=10 300 "$node" --test Tests/BrowserTests/*.test.mjs || return
    # What script tags load keeps the same promises.
    MARTLET_JS=min timeout --kill-after=10 300 "$node" --test \
        Tests/BrowserTests/{connection,habits,later,limits,model,requests,rooms,values}.test.mjs || return
    CHROMIUM=$(command -v chromium) timeout --kill-after=10 600 \
        "$playwright/bin/python" -B -m unittest discover --verbose --start-directory Tests/BrowserTests --pattern '*_test.py'
}

need_playwright() {
    local wanted="${browser_needs[*]} ${browser_needs_alone[*]}"
    [[ ! -e $playwright/version || $(<"$playwright/version") != "$wanted" ]] || return 0
    say "Installing Playwright and React from PyPI, into $playwright"
    rm -rf "$playwright"
    python3 -m venv "$playwright" || return
    local pip=("$playwright/bin/pip" install --quiet --disable-pip-version-check)
    "${pip[@]}" "${browser_needs[@]}" || return
    "${pip[@]}" --no-deps "${browser_needs_alone[@]}" || return
    printf '%s\n' "$wanted" >"$playwright/version"
}
