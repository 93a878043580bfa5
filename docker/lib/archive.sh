# The archive of `docker/local run --archive` and `cluster --archive`: every room, in one database.

# Into `folder` goes a file of settings for nodes and worker, which `serve_options` then names; `archive_hint` says where
# messages are kept: in the database that MARTLET_ARCHIVE_URL names, or in a file that stays.
choose_archive() {
    printf 'rooms:\n  - {pattern: "*", archive: true}\n' >"$folder/archive.yaml"
    serve_options=(--config "$folder/archive.yaml")
    if [[ -n ${MARTLET_ARCHIVE_URL:-}${MARTLET_ARCHIVE_URL_FILE:-} ]]; then
        archive_hint="in the database that your MARTLET_ARCHIVE_URL names"
        return
    fi
    local place=${XDG_STATE_HOME:-$HOME/.local/state}/martlet
    mkdir -p "$place"
    export MARTLET_ARCHIVE_URL=sqlite://$place/archive.db
    archive_hint="$place/archive.db, an SQLite file, table martlet_messages"
}

# keep_archive PROCESS: a Redis that keeps nothing and a worker, until that process has ended. Ctrl-C is for that one alone;
# the worker writes what it has left.
keep_archive() {
    local redis worker
    trap '' INT TERM HUP
    setsid redis-server docker/redis.conf --port 0 --unixsocket "$folder/redis.sock" --unixsocketperm 700 --save '' \
        --appendonly no --dir "$folder" >"$folder/redis.log" 2>&1 </dev/null &
    redis=$!
    setsid "$martlet" archive "${serve_options[@]}" >"$folder/archive.log" 2>&1 </dev/null &
    worker=$!
    while kill -0 "$1" 2>/dev/null; do sleep 0.5; done
    sleep 1
    kill "$worker" 2>/dev/null || true
    wait "$worker" || true
    kill "$redis" 2>/dev/null || true
    wait "$redis" || true
    rm -rf "$folder"
}
