# `docker/local bench crowd [CONNECTIONS [NODES]]`: as many members as a machine holds, over several nodes on one Redis,
# presence and sessions on, and broadcasts to everyone. Without numbers: 12,000 on one node, then 60,000 on five.

bench_crowd() {
    if [[ $# -gt 0 ]]; then
        crowd "$1" "${2:-1}"
        return
    fi
    crowd 12000 1
    crowd 60000 5
}

# crowd CONNECTIONS NODES: every node has an address of its own; rooms have ten members, spread over all nodes.
crowd() {
    local connections=$1 nodes=$2 index at=() node_pids=() redis_pid
    [[ $connections =~ ^[1-9][0-9]*$ && $nodes =~ ^[1-9][0-9]?$ ]] || die "bench crowd takes two numbers: connections, nodes"
    redis-server --port 0 --unixsocket "$bench_folder/redis.sock" --save '' --appendonly no --dir "$bench_folder" \
        >"$bench_folder/redis.log" 2>&1 &
    redis_pid=$!
    bench_processes+=("$redis_pid")
    until [[ -S $bench_folder/redis.sock ]]; do
        kill -0 "$redis_pid" 2>/dev/null || die "redis-server did not start: $(cat "$bench_folder/redis.log")"
        sleep 0.1
    done
    for ((index = 1; index <= nodes; index++)); do
        local port
        port=$(free_port $((api_port + index)))
        MARTLET_NODE_ID=node-$index MARTLET_CLIENT_HOST=127.0.0.$((10 + index)) MARTLET_CLIENT_PORT=$client_port \
            MARTLET_API_PORT=$port MARTLET_API_KEY=local MARTLET_AUTH_MODE=none MARTLET_LOG_LEVEL=warning \
            MARTLET_REDIS_URL=unix://$bench_folder/redis.sock "$martlet" serve >"$bench_folder/node-$index.log" 2>&1 &
        node_pids+=("$!")
        bench_processes+=("$!")
        wait_ready "$port" "$!" 60 || die "node $index did not start: $(cat "$bench_folder/node-$index.log")"
        at+=(--target "127.0.0.$((10 + index)):$client_port" --server-pid "$!")
        [[ $index -gt 1 ]] || at+=(--api "$port" --key local)
    done
    local status=0
    step "$connections connections on $nodes nodes, broadcasts to everyone" \
        "$martlet" bench fanout "${at[@]}" --redis-pid "$redis_pid" --rooms "$((connections / 10))" --members 10 \
        --to everyone --messages 10 --warmup 0 --seconds 120 --drain 120 --patience 300 || status=$?
    local pid
    for pid in "${node_pids[@]}"; do
        printf '  node %s: %s\n' "$pid" "$(grep -E '^VmRSS' "/proc/$pid/status" | tr -s '\t ' ' ')"
    done
    end_processes
    [[ $status -eq 0 ]] || die "the crowd was not served whole"
}
