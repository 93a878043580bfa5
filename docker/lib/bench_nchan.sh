# One room of 1,000 at 20 messages a second, on a node and on Nginx with Debian's nchan in turn, five times each: both on
# one core, the load tool on another. The medians are what that page compares.

nchan_rounds=5

bench_nchan() {
    local nchan_port nchan_worker round nodes=() peers=()
    nchan_port=$(free_port 18090)
    start_bench_node
    start_nchan "$nchan_port"
    say "20 messages a second to 1,000 members: a node and nchan in turn, $nchan_rounds times"
    for ((round = 1; round <= nchan_rounds; round++)); do
        nodes+=("$(paced_p99 node --target "$client_port" --api "$api_port" --key local)")
        peers+=("$(paced_p99 nchan --target "$nchan_port" --server-pid "$nchan_worker" --peer nchan)")
        printf '  round %s: p99 of the node %s ms, of nchan %s ms\n' "$round" "${nodes[-1]}" "${peers[-1]}"
    done
    end_processes
    printf '  medians: node %s ms, nchan %s ms\n' "$(median "${nodes[@]}")" "$(median "${peers[@]}")"
    [[ ${nodes[*]} != *fault* && ${peers[*]} != *fault* ]]
}

# paced_p99 NAME OPTIONS...: milliseconds, or the word fault.
paced_p99() {
    local name=$1 report
    shift
    report=$bench_folder/$name.json
    if ! "${on_client[@]}" "$martlet" bench fanout --members 1000 --rate 20 --seconds 20 --warmup 2 --json "$@" \
        >"$report" 2>"$bench_folder/$name.log"; then
        cat "$report" "$bench_folder/$name.log" >&2
        printf 'fault\n'
        return
    fi
    awk '/"latency p99"/ { here = 1 } here && /"value"/ { printf "%.1f\n", $3; exit }' "$report"
}

median() {
    printf '%s\n' "$@" | sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'
}

# Leaves the process that does the work in nchan_worker.
start_nchan() {
    local module=/usr/lib/nginx/modules/ngx_nchan_module.so
    cat >"$bench_folder/nchan.conf" <<TEXT
load_module $module;
daemon off;
worker_processes 1;
pid $bench_folder/nchan.pid;
error_log $bench_folder/nchan-error.log;
events { worker_connections 4000; }
http {
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path $bench_folder/body;
    proxy_temp_path $bench_folder/proxy;
    fastcgi_temp_path $bench_folder/fastcgi;
    uwsgi_temp_path $bench_folder/uwsgi;
    scgi_temp_path $bench_folder/scgi;
    server {
        listen 127.0.0.1:$1 backlog=4096;
        location = /sub {
            nchan_subscriber websocket;
            nchan_channel_id \$arg_id;
            nchan_subscriber_first_message newest;
        }
        location = /pub {
            nchan_publisher;
            nchan_channel_id \$arg_id;
            nchan_message_buffer_length 100;
        }
    }
}
TEXT
    "${on_server[@]}" nginx -c "$bench_folder/nchan.conf" >"$bench_folder/nchan.log" 2>&1 &
    local master=$! deadline=$((SECONDS + 10))
    bench_processes+=("$master")
    nchan_worker=
    until port_taken "$1" && [[ -n $nchan_worker ]]; do
        if ! kill -0 "$master" 2>/dev/null || ((SECONDS >= deadline)); then
            cat "$bench_folder/nchan.log" "$bench_folder/nchan-error.log" >&2
            die "Nginx with nchan did not start"
        fi
        sleep 0.1
        nchan_worker=$(tr -d ' ' <"/proc/$master/task/$master/children")
    done
}
