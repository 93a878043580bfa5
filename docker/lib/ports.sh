# Ports, and asking a node whether it is ready: bash alone, since a fresh machine has no curl.

port_taken() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# need_port PORT VARIABLE WHAT: ends with a sentence that names the variable by which the port moves.
need_port() {
    ! port_taken "$1" \
        || die "port $1 ($3) is taken on this machine; free it or move it: $2=$(($1 + 1000)) docker/local $asked"
}

# The first free port from the given one on.
free_port() {
    local port=$1
    while port_taken "$port"; do
        port=$((port + 1))
    done
    printf '%s\n' "$port"
}

# Whether the node whose api port is given answers 200 on /readyz.
is_ready() (
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' >&3
    read -r -t 2 status_line <&3 || exit 1
    # To its end: closing on unread bytes would reset the connection under the node's hands.
    timeout 2 cat <&3 >/dev/null
    [[ $status_line == HTTP/1.1\ 200* ]]
) 2>/dev/null

# wait_ready PORT PROCESS SECONDS: until the node is ready; 1 when its process is gone, 2 when the time is over.
wait_ready() {
    local deadline=$((SECONDS + $3))
    until is_ready "$1"; do
        kill -0 "$2" 2>/dev/null || return 1
        ((SECONDS < deadline)) || return 2
        sleep 0.2
    done
}

# What to open and what to type; the ports of clients and of the API, and how the API key is written.
first_steps() {
    cat <<TEXT
  Open   http://127.0.0.1:$2/console
  Type   curl http://127.0.0.1:$2/v1/broadcast -H 'Authorization: Bearer $3' -H 'Content-Type: application/json' -d '{"to":{"everyone":true},"payload":"hello"}'
  Apps   ws://127.0.0.1:$1/ws?userId=alice
TEXT
    command -v curl >/dev/null || printf '         (no curl on this machine; the console page broadcasts as well)\n'
}
