# `docker/local bench`: the table of the page on benchmarks, anew on this machine. The node and its private
# Redis have one core, the load tool another; each row says what it found, beside a bare C loop where that is the measure.

bench() {
    local what=${1:-table}
    [[ $# -eq 0 ]] || shift
    case $what in
        table | nchan) [[ $# -eq 0 ]] || die "bench $what takes no options" ;;
        crowd) [[ $# -le 2 ]] || die "bench crowd takes connections and nodes, such as: bench crowd 12000 1" ;;
        *) die "bench takes nothing, nchan or crowd; \`martlet bench --help\` has single scenarios" ;;
    esac
    need_packages "${build_packages[@]}" redis-server
    [[ $what = crowd ]] || need_packages nginx libnginx-mod-nchan
    build "$martlet" --product martlet

    bench_folder=$(mktemp -d "${TMPDIR:-/tmp}/martlet-bench.XXXXXX")
    bench_processes=()
    trap end_bench EXIT
    on_server=() on_client=()
    if command -v taskset >/dev/null && (($(nproc) >= 2)); then
        on_server=(taskset -c 0)
        on_client=(taskset -c 1)
    else
        say "One core, or no taskset: node and load tool disturb each other"
    fi
    client_port=$(free_port 18080)
    api_port=$(free_port 18081)
    "bench_$what" "$@"
}

end_bench() {
    end_processes
    rm -rf "$bench_folder"
}

# Ends what the rows have started, the last first.
end_processes() {
    local index
    for ((index = ${#bench_processes[@]} - 1; index >= 0; index--)); do
        kill "${bench_processes[index]}" 2>/dev/null || true
        wait "${bench_processes[index]}" 2>/dev/null || true
    done
    bench_processes=()
}

bench_table() {
    local failed=0 via
    bench_row "One room of 1,000, one message under way, REST" \
        fanout --members 1000 --beside-floor --seconds 10
    bench_row "One room of 1,000, sixteen under way, WebSocket" \
        fanout --members 1000 --via websocket --window 16 --beside-floor --seconds 10
    for via in websocket batch rest; do
        bench_row "1,000 rooms of 10, rooms at random, ten publishers, $via" \
            fanout --rooms 1000 --members 10 --publishers 10 --via "$via" --window 16 --random --beside-floor --seconds 10
    done
    bench_row "One room of one, four connections by REST, each with one request after the other" \
        fanout --members 1 --publishers 4 --window 4 --seconds 10
    bench_row "One room of one, 10,000 a second by REST over 32 connections" \
        fanout --members 1 --publishers 32 --rate 10000 --seconds 10
    bench_row "10,000 connections, each joins a room" connect --connections 10000 --rooms 1000
    bench_row "10,000 idle connections in one room" idle --connections 10000 --hold 30
    bench_row "15,000 idle connections in one room" idle --connections 15000 --hold 60
    bench_row "Joins and leaves in 10 rooms of 100" presence --rooms 10 --members 100 --churners 20
    bench_row "5,000 connections back at once, 20 messages missed" resume --connections 5000 --rooms 50 --missed 20
    bench_nchan || failed=$((failed + 1))
    ((failed == 0)) || die "$failed rows found a fault; see above"
}

# bench_row TITLE SCENARIO OPTIONS...: a fresh node for each row, so that none pays for the one before.
bench_row() {
    local title=$1 scenario=$2
    shift 2
    start_bench_node
    local at=(--target "$client_port")
    case $scenario in
        fanout | resume) at+=(--api "$api_port" --key local) ;;
    esac
    step "$title" "${on_client[@]}" "$martlet" bench "$scenario" "${at[@]}" "$@" || failed=$((failed + 1))
    end_processes
}

# The node that the rows load, with its private Redis, on one core.
start_bench_node() {
    MARTLET_CLIENT_PORT=$client_port MARTLET_API_PORT=$api_port MARTLET_API_KEY=local MARTLET_AUTH_MODE=none \
        MARTLET_THREADS=1 MARTLET_LOG_LEVEL=warning MARTLET_CLIENT_MESSAGES_PER_SECOND=1000000 \
        MARTLET_CLIENT_MESSAGE_BURST=1000000 MARTLET_CLIENT_JOINS_PER_SECOND=1000000 MARTLET_CLIENT_JOIN_BURST=1000000 \
        MARTLET_BUDGET_CONNECTION=0s MARTLET_BUDGET_USER=0s MARTLET_BUDGET_ROOM=0s MARTLET_BUDGET_NODE=0s \
        MARTLET_BUDGET_STORED=0 \
        "${on_server[@]}" "$martlet" serve >"$bench_folder/node.log" 2>&1 &
    bench_processes+=("$!")
    if ! wait_ready "$api_port" "$!" 30; then
        cat "$bench_folder/node.log" >&2
        die "the node to be measured did not start"
    fi
}
