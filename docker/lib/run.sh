# `docker/local run`: one node with the embedded Redis.

run() {
    local with_archive=no option serve_options=() options=()
    for option in "$@"; do
        if [[ $option = --archive ]]; then with_archive=yes; else options+=("$option"); fi
    done
    local client_port=${MARTLET_CLIENT_PORT:-8080} api_port=${MARTLET_API_PORT:-8081}
    need_port "$client_port" MARTLET_CLIENT_PORT "clients"
    need_port "$api_port" MARTLET_API_PORT "REST and console"
    need_packages "${build_packages[@]}" redis-server
    build "$martlet" --product martlet

    # The well-known key is for loopback alone; elsewhere the node asks for one, or makes one.
    local key=local
    if [[ -n ${MARTLET_API_KEY:-} || -n ${MARTLET_API_KEY_FILE:-} ]]; then
        key='YOUR API KEY'
    elif is_loopback "${MARTLET_API_HOST:-127.0.0.1}"; then
        export MARTLET_API_KEY=local
    fi
    if is_loopback "${MARTLET_CLIENT_HOST:-127.0.0.1}"; then
        export MARTLET_AUTH_MODE=${MARTLET_AUTH_MODE:-none}
    fi

    if [[ $with_archive = yes ]]; then
        # A worker reaches no Redis that is the node's own.
        [[ -z ${MARTLET_REDIS_URL:-}${MARTLET_REDIS_URL_FILE:-} && " ${options[*]} " != *" --config "* ]] \
            || die "run --archive brings a Redis and rules for rooms of its own; with yours, start: $martlet archive"
        folder=$(mktemp -d "${TMPDIR:-/tmp}/martlet-run.XXXXXX")
        choose_archive
        export MARTLET_REDIS_URL=unix://$folder/redis.sock
        (keep_archive "$$" &)
        say "Messages of all rooms are kept: $archive_hint"
    fi

    say "Starting a node; Ctrl-C ends it"
    # The node takes this script's place, so that Ctrl-C and SIGTERM reach it and its status is ours. A grandchild stays
    # behind just long enough to say what to do next.
    (announce_when_ready "$$" "$client_port" "$api_port" "$key" &)
    exec "$martlet" serve "${serve_options[@]}" "${options[@]}"
}

is_loopback() {
    [[ $1 == 127.* || $1 == localhost || $1 == ::1 ]]
}

announce_when_ready() {
    wait_ready "$3" "$1" 60 || return 0
    say "Martlet is ready"
    first_steps "$2" "$3" "$4"
}
