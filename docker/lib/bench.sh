# `docker/local bench`: the table of the README's section on performance, anew on this machine. The node and its private
# Redis have one core, the load tool another; each row says what it found, beside a bare C loop where that is the measure.

bench() {
    [[ $# -eq 0 ]] || die "bench takes no options; \`martlet bench --help\` has single scenarios"
    need_packages "${build_packages[@]}" redis-server
    build "$martlet" --product martlet

    local client_port api_port log
    client_port=$(free_port 18080)
    api_port=$(free_port 18081)
    log=$(mktemp)
    local on_server=() on_client=()
    if command -v taskset >/dev/null && (($(nproc) >= 2)); then
        on_server=(taskset -c 0)
        on_client=(taskset -c 1)
    else
        say "One core, or no taskset: node and load tool disturb each other"
    fi
    bench_node=
    trap '[[ -z $bench_node ]] || kill "$bench_node" 2>/dev/null; rm -f "$log"' EXIT

    local failed=0
    bench_row "One room of 1,000, one message under way, REST" \
        fanout --members 1000 --beside-floor --seconds 10
    bench_row "One room of 1,000, sixteen under way, WebSocket" \
        fanout --members 1000 --via websocket --window 16 --beside-floor --seconds 10
    local via
    for via in websocket batch rest; do
        bench_row "1,000 rooms of 10, rooms at random, ten publishers, $via" \
            fanout --rooms 1000 --members 10 --publishers 10 --via "$via" --window 16 --random --beside-floor --seconds 10
    done
    bench_row "20 messages a second to 1,000 members" fanout --members 1000 --rate 20 --seconds 20
    bench_row "10,000 connections, each joins a room" connect --connections 10000 --rooms 1000
    bench_row "10,000 idle connections in one room" idle --connections 10000 --hold 30
    bench_row "15,000 idle connections in one room" idle --connections 15000 --hold 60
    ((failed == 0)) || die "$failed rows found a fault; see above"
}

# bench_row TITLE SCENARIO OPTIONS...: a fresh node for each row, so that none pays for the one before.
bench_row() {
    local title=$1
    shift
    MARTLET_CLIENT_PORT=$client_port MARTLET_API_PORT=$api_port MARTLET_API_KEY=local MARTLET_AUTH_MODE=none \
        MARTLET_THREADS=1 MARTLET_LOG_LEVEL=warning MARTLET_CLIENT_MESSAGES_PER_SECOND=1000000 \
        MARTLET_CLIENT_MESSAGE_BURST=1000000 "${on_server[@]}" "$martlet" serve >"$log" 2>&1 &
    bench_node=$!
    if ! wait_ready "$api_port" "$bench_node" 30; then
        cat "$log" >&2
        die "the node to be measured did not start"
    fi
    local scenario=$1
    shift
    local at=(--target "$client_port")
    [[ $scenario != fanout ]] || at+=(--api "$api_port" --key local)
    step "$title" "${on_client[@]}" "$martlet" bench "$scenario" "${at[@]}" "$@" || failed=$((failed + 1))
    kill "$bench_node" 2>/dev/null || true
    wait "$bench_node" 2>/dev/null || true
    bench_node=
}
