# `docker/local test upgrade [REVISION | EXECUTABLE]`: the last release's nodes beside this tree's, through a rolling restart
# on one Redis, while `martlet bench storm` has clients in rooms and judges what reaches them.
#
# An executable is taken as it is. A revision (the newest tag, where none is named) is built in a worktree of its own under
# .build/upgrade, by the same flags as this tree, and kept there for the next time. Nothing else is touched; all that is
# started ends with this, whichever way it ends.

upgrade_folder=.build/upgrade

test_upgrade() {
    [[ $# -le 1 ]] || die "test upgrade takes one revision or executable; see docker/local help"
    need_packages "${build_packages[@]}" redis-server git
    local old
    old=$(old_release "${1:-}") || exit
    build "$martlet" --product martlet
    [[ $("$old" --version) != "" ]] || die "$old is no martlet"
    step "From $("$old" --version) ($old) to $("$martlet" --version)" roll_over "$old" "$martlet" \
        || die "the upgrade is not without a fault"
    say "The upgrade lost nothing, told nothing twice, and told nobody to have gone"
}

# Prints the path of the earlier release's executable.
old_release() {
    local wanted=$1 commit tree
    if [[ -n $wanted && -f $wanted && -x $wanted ]]; then
        realpath "$wanted"
        return
    fi
    [[ -n $wanted ]] || wanted=$(git describe --tags --abbrev=0 2>/dev/null) \
        || die "there is no tag yet: name a revision, or an executable"
    commit=$(git rev-parse --verify --quiet "$wanted^{commit}") || die "\"$wanted\" is neither an executable nor a revision"
    tree=$upgrade_folder/${commit:0:12}
    if [[ ! -x $tree/martlet ]]; then
        say "Building $wanted (${commit:0:12}) in $tree; takes as long as a first build" >&2
        if [[ ! -d $tree/source ]]; then
            git worktree prune
            git worktree add --detach "$tree/source" "$commit" >&2 || die "git could not check $wanted out"
        fi
        (cd "$tree/source" && swift build "${swift_flags[@]}" --product martlet) >&2 || die "$wanted does not build here"
        cp "$tree/source/$martlet" "$tree/martlet"
        # What it was built from may go: the executable is all that is needed.
        git worktree remove --force "$tree/source" >&2 || true
    fi
    realpath "$tree/martlet"
}

# roll_over OLD NEW: two nodes of OLD, then one after the other of NEW.
roll_over() {
    local old new=$2 letter storm status=0
    old=$1
    upgrade=$(mktemp -d "${TMPDIR:-/tmp}/martlet-upgrade.XXXXXX")
    declare -gA upgrade_node=() upgrade_client=() upgrade_api=()
    upgrade_others=()
    trap end_upgrade EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    redis-server --port 0 --unixsocket "$upgrade/redis.sock" --save '' --appendonly no --dir "$upgrade" >"$upgrade/redis.log" 2>&1 &
    upgrade_others+=("$!")
    until [[ -S $upgrade/redis.sock ]]; do
        kill -0 "${upgrade_others[0]}" 2>/dev/null || die "redis-server did not start: $(cat "$upgrade/redis.log")"
        sleep 0.1
    done
    local port=18080
    for letter in a b; do
        upgrade_client[$letter]=$(free_port "$port")
        upgrade_api[$letter]=$(free_port $((upgrade_client[$letter] + 1)))
        port=$((upgrade_api[$letter] + 1))
        start_release "$letter" "$old"
    done
    "$new" bench storm --target "127.0.0.1:${upgrade_client[a]}" --target "127.0.0.1:${upgrade_client[b]}" \
        --api "127.0.0.1:${upgrade_api[a]}" --api "127.0.0.1:${upgrade_api[b]}" --key "$upgrade_key" \
        --clients 30 --rooms 6 --rate 60 --seconds 240 --report "$upgrade/storm.html" &
    storm=$!
    upgrade_others+=("$storm")
    sleep 5
    for letter in a b; do
        kill -0 "$storm" 2>/dev/null || break
        say "Node $letter: draining, then the new release"
        kill -TERM "${upgrade_node[$letter]}"
        wait "${upgrade_node[$letter]}" || die "node $letter ended with $?: $(tail -n 5 "$upgrade/$letter.log")"
        start_release "$letter" "$new"
        tell_releases
        # Both releases work on the same rooms for a while.
        sleep 8
    done
    # It ends the publishing, and judges.
    kill -TERM "$storm" 2>/dev/null || true
    wait "$storm" || status=$?
    return "$status"
}

upgrade_key=a-key-for-the-upgrade-alone

# start_release LETTER EXECUTABLE.
start_release() {
    MARTLET_NODE_ID=node-$1 MARTLET_CLIENT_PORT=${upgrade_client[$1]} MARTLET_API_PORT=${upgrade_api[$1]} \
        MARTLET_API_KEY=$upgrade_key MARTLET_AUTH_MODE=none MARTLET_LOG_LEVEL=info \
        MARTLET_REDIS_URL=unix://$upgrade/redis.sock "$2" serve >>"$upgrade/$1.log" 2>&1 &
    upgrade_node[$1]=$!
    wait_ready "${upgrade_api[$1]}" "$!" 60 || die "node $1 did not start: $(tail -n 5 "$upgrade/$1.log")"
}

tell_releases() {
    local letter
    for letter in a b; do
        printf '  node %s: %s\n' "$letter" "$(readlink "/proc/${upgrade_node[$letter]}/exe")"
    done
}

end_upgrade() {
    local status=$? process
    trap - EXIT
    # Else the shell tells of each that it is killed.
    disown -a
    for process in "${upgrade_others[@]:1}" "${upgrade_node[@]}"; do kill -KILL "$process" 2>/dev/null || true; done
    kill -TERM "${upgrade_others[0]:-}" 2>/dev/null || true
    if [[ $status -eq 0 ]]; then rm -rf "$upgrade"; else say "The logs stay in $upgrade"; fi
    exit "$status"
}
