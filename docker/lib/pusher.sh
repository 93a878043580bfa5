# `docker/local test pusher`: nodes as backends and clients with Pusher's own libraries meet them. These come from PyPI, into
# a folder of the build's own; Laravel's broadcaster is Debian's.

pusher_packages=(php-cli php-illuminate-broadcasting php-illuminate-http python3-venv)
pusher=.build/pusher-tests
pusher_needs=(pusher==3.3.4 pysher==1.0.8 websocket-client==1.8.0)

pusher_tests() {
    need_pusher || return
    MARTLET=$martlet timeout --kill-after=10 900 \
        "$pusher/bin/python" -B -m unittest discover --verbose --start-directory Tests/PusherTests --pattern '*_test.py'
}

need_pusher() {
    local wanted="${pusher_needs[*]}"
    [[ ! -e $pusher/version || $(<"$pusher/version") != "$wanted" ]] || return 0
    say "Installing $wanted from PyPI, into $pusher"
    rm -rf "$pusher"
    python3 -m venv "$pusher" || return
    "$pusher/bin/pip" install --quiet --disable-pip-version-check "${pusher_needs[@]}" || return
    printf '%s\n' "$wanted" >"$pusher/version"
}
