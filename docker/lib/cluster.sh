# `docker/local cluster`: Redis, two nodes and Nginx as plain processes, with compose.yml's redis.conf and nginx.conf;
# with `--redis sentinel` a primary, two replicas and three sentinels, with its sentinel.conf too, and with `--redis
# cluster` three primaries with a replica each.
#
# Each process has a script of its own in the run folder, which writes its process id and then becomes it. The
# cluster starts them by these scripts, and so does whoever killed one and wants it back.

cluster() {
    local start_store=start_redis with_archive=no
    serve_options=()
    while [[ $# -gt 0 ]]; do
        case "$1 ${2:-}" in
            "--redis sentinel") start_store=start_sentinels && shift 2 ;;
            "--redis cluster") start_store=start_shards && shift 2 ;;
            "--archive "*) with_archive=yes && shift ;;
            *) die 'cluster takes "--redis sentinel" or "--redis cluster", and "--archive"; settings are MARTLET_... variables' ;;
        esac
    done
    local client_port=${MARTLET_CLIENT_PORT:-8080} api_port=${MARTLET_API_PORT:-8081}
    need_port "$client_port" MARTLET_CLIENT_PORT "clients"
    need_port "$api_port" MARTLET_API_PORT "REST and console"
    need_packages "${build_packages[@]}" redis-server nginx
    build "$martlet" --product martlet

    # Nginx's workers are another user when root starts it: they pass through the folder and see their own part only.
    folder=$(mktemp -d "${TMPDIR:-/tmp}/martlet-cluster.XXXXXX")
    chmod 711 "$folder"
    mkdir -m 755 "$folder/nginx" "$folder/nginx/site"
    names=()
    stores=()
    keep_logs=no
    trap stop_cluster EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP

    "$start_store"
    [[ $with_archive = no ]] || choose_archive
    choose_ports
    start_node a "$a_client" "$a_api"
    start_node b "$b_client" "$b_api"
    [[ $with_archive = no ]] || start_archive
    start_nginx "$client_port" "$api_port"
    tell_cluster "$client_port" "$api_port"
    watch_cluster
}

# write_starter NAME COMMAND...: the script by which NAME is started, now and later, from whatever window. So the
# settings of this one go into it, secrets too: it is for its owner's eyes alone.
write_starter() {
    local name=$1 setting
    shift
    (
        umask 077
        printf '#!/bin/bash\ncd %q || exit 1\necho $$ >%q\n' "$project" "$folder/$name.pid"
        for setting in ${!MARTLET_*}; do
            printf 'export %s=%q\n' "$setting" "${!setting}"
        done
        printf 'exec'
        printf ' %q' "$@"
        printf ' >>%q 2>&1 </dev/null\n' "$folder/$name.log"
    ) >"$folder/start-$name"
    chmod 700 "$folder/start-$name"
}

# In a session of its own: Ctrl-C is for this script, which then ends the others in order.
start() {
    rm -f "$folder/$1.pid"
    setsid "$folder/start-$1" &
    names[$!]=$1
    until [[ -s $folder/$1.pid ]]; do sleep 0.05; done
}

process_of() {
    cat "$folder/$1.pid" 2>/dev/null
}

is_alive() {
    local process
    process=$(process_of "$1") && kill -0 "$process" 2>/dev/null
}

fail_with_log() {
    printf '\n' >&2
    tail -n 20 "$folder/$1.log" >&2
    die "$1 did not start; above is what it said"
}

start_redis() {
    local socket=$folder/redis/redis.sock
    mkdir -m 700 "$folder/redis"
    start_store redis -s "$socket" -- redis-server "$project/docker/redis.conf" --port 0 --unixsocket "$socket" \
        --unixsocketperm 700 --dir "$folder/redis"
    redis_url=unix://$socket
    redis_hint="redis-cli -s $socket"
}

# A primary, two replicas and three sentinels. Each has a file of its own, into which a failover writes its role.
start_sentinels() {
    local number primary port file places=()
    port=$((16379 - 1))
    for number in 1 2 3; do
        port=$(free_port $((port + 1)))
        primary=${primary:-$port}
        file=$(own_file "redis-$number" "$project/docker/redis.conf")
        ((number == 1)) || printf 'replicaof 127.0.0.1 %s\n' "$primary" >>"$file"
        start_store "redis-$number" -p "$port" -- redis-server "$file" --port "$port" --bind 127.0.0.1 \
            --dir "${file%/*}" --repl-diskless-sync-delay 0 --min-replicas-to-write 1 --min-replicas-max-lag 3
    done
    port=$((26379 - 1))
    for number in 1 2 3; do
        port=$(free_port $((port + 1)))
        file=$(own_file "sentinel-$number" "$project/docker/sentinel.conf")
        sed -i "s/ redis 6379 / 127.0.0.1 $primary /" "$file"
        start_store "sentinel-$number" -p "$port" -- redis-server "$file" --sentinel --port "$port" --bind 127.0.0.1 \
            --dir "${file%/*}"
        places+=("127.0.0.1:$port")
    done
    redis_url="redis+sentinel://$(IFS=,; printf '%s' "${places[*]}")/martlet"
    redis_hint="redis-cli -p $port sentinel get-master-addr-by-name martlet"
}

# Three primaries and three replicas, the last three at first; what they know of each other lies in their folders.
start_shards() {
    local number port bus_port place places=()
    port=$((16379 - 1))
    bus_port=$((26379 - 1))
    for number in 1 2 3 4 5 6; do
        port=$(free_port $((port + 1)))
        bus_port=$(free_port $((bus_port + 1)))
        mkdir -m 700 "$folder/redis-$number"
        start_store "redis-$number" -p "$port" -- redis-server "$project/docker/redis.conf" --port "$port" \
            --bind 127.0.0.1 --dir "$folder/redis-$number" --repl-diskless-sync-delay 0 --cluster-enabled yes \
            --cluster-port "$bus_port"
        places+=("127.0.0.1:$port")
    done
    redis-cli --cluster create "${places[@]}" --cluster-replicas 1 --cluster-yes >"$folder/create.log" 2>&1 \
        || fail_with_log create
    # Each waits some seconds before it serves.
    for place in "${places[@]}"; do
        until [[ $(redis-cli -p "${place##*:}" cluster info) == *cluster_state:ok* ]]; do sleep 0.1; done
    done
    redis_url="redis+cluster://$(IFS=,; printf '%s' "${places[*]}")"
    redis_hint="redis-cli -c -p $port cluster nodes"
}

# own_file NAME FILE: a copy in a folder that is NAME's own.
own_file() {
    mkdir -m 700 "$folder/$1"
    cat "$2" >"$folder/$1/${2##*/}"
    printf '%s\n' "$folder/$1/${2##*/}"
}

# start_store NAME WHERE -- COMMAND...: one that redis-cli reaches there, and which ends after the nodes.
start_store() {
    local name=$1 where=("$2" "$3")
    shift 4
    write_starter "$name" "$@"
    stores=("$name" "${stores[@]}")
    start "$name"
    until [[ $(redis-cli "${where[@]}" ping 2>/dev/null) == PONG ]]; do
        is_alive "$name" || fail_with_log "$name"
        sleep 0.1
    done
}

choose_ports() {
    a_client=$(free_port 18080)
    a_api=$(free_port $((a_client + 1)))
    b_client=$(free_port $((a_api + 1)))
    b_api=$(free_port $((b_client + 1)))
}

# start_node LETTER CLIENT-PORT API-PORT.
start_node() {
    local settings=(
        "MARTLET_NODE_ID=gateway-$1"
        "MARTLET_CLIENT_HOST=127.0.0.1" "MARTLET_CLIENT_PORT=$2"
        "MARTLET_API_HOST=127.0.0.1" "MARTLET_API_PORT=$3"
        "MARTLET_CLIENT_TRUSTED_PROXIES=127.0.0.1/32"
        "MARTLET_REDIS_URL=$redis_url"
        "MARTLET_AUTH_MODE=${MARTLET_AUTH_MODE:-none}"
    )
    [[ -n ${MARTLET_API_KEY:-} || -n ${MARTLET_API_KEY_FILE:-} ]] || settings+=("MARTLET_API_KEY=local")
    write_starter "node-$1" env "${settings[@]}" "$project/$martlet" serve "${serve_options[@]}"
    start "node-$1"
    wait_ready "$3" "$(process_of "node-$1")" 60 || fail_with_log "node-$1"
}

start_archive() {
    local port
    port=$(free_port $((b_api + 1)))
    write_starter archive env "MARTLET_REDIS_URL=$redis_url" "MARTLET_ARCHIVE_PORT=$port" "$project/$martlet" archive \
        "${serve_options[@]}"
    start archive
    wait_ready "$port" "$(process_of archive)" 30 || fail_with_log archive
    # It writes what the nodes have left, and ends before Redis.
    stores=(archive "${stores[@]}")
}

# The very file that compose.yml mounts; only the folder site/ beside it is made here.
start_nginx() {
    local site=$folder/nginx/site
    ln -s "$project/docker/nginx.conf" "$folder/nginx/nginx.conf"
    printf 'listen 127.0.0.1:%s;\n' "$1" >"$site/listen.client.conf"
    printf 'listen 127.0.0.1:%s;\n' "$2" >"$site/listen.api.conf"
    sed -e "s/gateway-a:8080/127.0.0.1:$a_client/" -e "s/gateway-a:8081/127.0.0.1:$a_api/" \
        -e "s/gateway-b:8080/127.0.0.1:$b_client/" -e "s/gateway-b:8081/127.0.0.1:$b_api/" \
        docker/site.compose/upstreams.conf >"$site/upstreams.conf"

    write_starter nginx nginx -e stderr -p "$folder/nginx/" -c "$folder/nginx/nginx.conf" -g 'daemon off;'
    start nginx
    wait_ready "$2" "$(process_of nginx)" 20 || fail_with_log nginx
}

tell_cluster() {
    local key=local
    [[ -z ${MARTLET_API_KEY:-}${MARTLET_API_KEY_FILE:-} ]] || key='YOUR API KEY'
    say "Two nodes behind Nginx are ready; Ctrl-C ends them all"
    first_steps "$1" "$2" "$key"
    cat <<TEXT
  Nodes  node-a  clients $a_client, API $a_api, process $(process_of node-a)
         node-b  clients $b_client, API $b_api, process $(process_of node-b)
  Kill   kill -9 \$(cat $folder/node-b.pid)     and back again: $folder/start-node-b &
         kill -9 \$(cat $folder/${stores[-1]}.pid)      and back again: $folder/start-${stores[-1]} &
  Logs   $folder/*.log
  Redis  $redis_hint
TEXT
    [[ -z ${archive_hint:-} ]] || printf '  Kept   %s\n' "$archive_hint"
}

# Says when a process has ended; goes on until a signal comes.
watch_cluster() {
    local process name status
    # Something to wait for when all else is gone.
    sleep infinity &
    keeper=$!
    while true; do
        status=0
        wait -n -p process 2>/dev/null || status=$?
        name=${names[$process]}
        say "$name ended with status $status; its log is $folder/$name.log"
        keep_logs=yes
    done
}

ask_to_end() {
    ! is_alive "$1" || kill -s "$2" "$(process_of "$1")" 2>/dev/null || true
}

# await_end NAME SECONDS: until it has ended; by force after that time, or when Ctrl-C comes once more.
await_end() {
    local deadline=$((SECONDS + $2))
    while is_alive "$1"; do
        if [[ $in_a_hurry = yes ]] || ((SECONDS >= deadline)); then
            ask_to_end "$1" KILL
        fi
        sleep 0.1
    done
}

# Nodes first, both at once, so that their clients hear of it while Nginx still carries them; Redis last.
stop_cluster() {
    local status=$? name
    trap - EXIT
    in_a_hurry=no
    trap 'in_a_hurry=yes' INT TERM HUP
    [[ -z ${keeper:-} ]] || kill "$keeper" 2>/dev/null || true

    say "Stopping: the nodes drain (30 s at most; Ctrl-C again ends them at once), then Nginx, then Redis"
    ask_to_end node-a TERM
    ask_to_end node-b TERM
    await_end node-a 45
    await_end node-b 45
    ask_to_end nginx QUIT
    await_end nginx 5
    for name in "${stores[@]}"; do
        ask_to_end "$name" TERM
        await_end "$name" 20
    done

    if [[ $keep_logs = yes ]]; then
        say "Stopped; the logs stay in $folder"
    else
        rm -rf "$folder"
        say "Stopped"
    fi
    exit "$status"
}
