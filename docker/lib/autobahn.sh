# `docker/local autobahn`: the Autobahn test suite against a node's /echo. The suite is a program for Python 2.7, so this
# is for machines that have one; the tests bring cases of our own, named after the suite's numbers.

autobahn_folder=.build/autobahn

autobahn() {
    local scheme=ws packages=("${build_packages[@]}" redis-server) settings=()
    if [[ ${1-} = --tls ]]; then
        scheme=wss
        packages+=(openssl)
        settings=(MARTLET_CLIENT_TLS_CERTIFICATE_FILE="$autobahn_folder/cert.pem"
            MARTLET_CLIENT_TLS_KEY_FILE="$autobahn_folder/key.pem")
        shift
    fi
    local cases=("$@")
    [[ $# -gt 0 ]] || cases=('*')
    local python
    python=$(find_python2) \
        || die "no python2.7 that runs here, and the Autobahn test suite needs it (PYTHON27=/path/to/python2.7 names one). The cases of our own run everywhere: docker/local test Conformance"
    need_packages "${packages[@]}"
    build "$martlet" --product martlet
    install_suite "$python"
    [[ $scheme = ws ]] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
        -subj /CN=localhost -keyout "$autobahn_folder/key.pem" -out "$autobahn_folder/cert.pem" 2>/dev/null

    local client_port api_port
    client_port=$(free_port 9410)
    api_port=$(free_port $((client_port + 1)))
    rm -rf "$autobahn_folder/reports"
    env "${settings[@]}" MARTLET_CLIENT_ECHO=true MARTLET_CLIENT_PORT="$client_port" MARTLET_API_PORT="$api_port" \
        MARTLET_API_KEY=local MARTLET_AUTH_MODE=none "$martlet" serve >"$autobahn_folder/node.log" 2>&1 &
    local node=$!
    # shellcheck disable=SC2064
    trap "kill $node 2>/dev/null || true" EXIT
    wait_ready "$api_port" "$node" 60 || die "the node did not start; its log is $autobahn_folder/node.log"

    write_spec "$scheme://127.0.0.1:$client_port/echo" "${cases[@]}" >"$autobahn_folder/spec.json"
    say "Autobahn test suite over $scheme, cases ${cases[*]}: a minute or two without 12.* and 13.*, a quarter of an hour with them"
    run_suite "$python" -m fuzzingclient -s "$autobahn_folder/spec.json" >"$autobahn_folder/suite.log" 2>&1 \
        || die "the suite did not run; its log is $autobahn_folder/suite.log"
    "$python" docker/lib/autobahn_result.py "$autobahn_folder/reports/index.json" \
        || die "cases have failed; see $autobahn_folder/reports/index.html"
    say "No case failed; $autobahn_folder/reports/index.html tells of each"
}

# A shim of pyenv may stand in the path for a Python that is not chosen: only one that runs counts.
find_python2() {
    local candidate
    for candidate in ${PYTHON27:+"$PYTHON27"} python2.7 python2 "$HOME"/.pyenv/versions/2.7*/bin/python2.7; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (2, 7))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    return 1
}

install_suite() {
    [[ ! -e $autobahn_folder/site/autobahntestsuite ]] || return 0
    mkdir -p "$autobahn_folder"
    say "Installing the Autobahn test suite from PyPI into $autobahn_folder"
    "$1" -m pip install -q --target "$autobahn_folder/site" autobahntestsuite \
        || die "pip could not install autobahntestsuite for $1 (it needs pip for Python 2.7, and a C compiler)"
}

# The folder is made a site folder, since some of what the suite needs is found only there.
run_suite() {
    local python=$1
    shift
    "$python" -c "
import site, sys
site.addsitedir('$autobahn_folder/site')
from autobahntestsuite.wstest import run
sys.argv[0] = 'wstest'
run()" "$@"
}

write_spec() {
    local url=$1 list
    shift
    list=$(printf '"%s",' "$@")
    cat <<TEXT
{"outdir": "$autobahn_folder/reports", "cases": [${list%,}], "exclude-cases": [], "exclude-agent-cases": {},
 "options": {"failByDrop": false}, "servers": [{"agent": "Martlet", "url": "$url"}]}
TEXT
}
