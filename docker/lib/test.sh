# `docker/local test`: the suites named ...Faults kill, pause and cut things, and that of the hot paths loads a node: they run
# after the others and one test at a time. Fault tests wait most of the time, for a lease to end or a server to be replaced, so
# four lots of them run beside each other.

lone_suites='Faults|HotPathTests'
# Three lots of about a quarter each, by how long they take; what is in none is the last quarter.
fault_lots=(
    '^EndToEndTests[.](Cluster|Failover|Presence|PusherStorm)[A-Za-z]*Faults'
    '^EndToEndTests[.](Webhook|St|HostKill|Honest|Memory)[A-Za-z]*Faults'
    '^EndToEndTests[.](?!Cluster|Failover|HostKill|Honest|Memory)[A-M][A-Za-z]*Faults'
)
# Those with a Redis, databases or nodes of their own, apart from the others, so that two cores keep up with their deadlines.
busy_suites='^(RedisBackendTests|WebhooksTests|ArchiveTests|EndToEndTests)'
# So many of them at once: most wait for a lease to end, and with all of them begun at once a hundred servers would start in
# the same seconds, in which nobody keeps a deadline.
busy_width=24

test_suites() {
    local only='' times=1
    while [[ $# -gt 0 ]]; do
        case $1 in
            --times)
                [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "--times wants a number"
                times=$2
                shift 2
                ;;
            -*) die "there is no option \"$1\"; see docker/local help" ;;
            *)
                [[ -z $only ]] || die "one suite at a time: \"$only\" or \"$1\""
                only=$1
                shift
                ;;
        esac
    done

    local packages=("${build_packages[@]}" "${test_packages[@]}" "${valkey_packages[@]}")
    [[ -n $only && $only != browser ]] || packages+=("${browser_packages[@]}")
    [[ -n $only && $only != operations ]] || packages+=("${operations_packages[@]}")
    [[ -n $only && $only != pusher ]] || packages+=("${pusher_packages[@]}")
    need_packages "${packages[@]}"
    need_valkey
    build "$tests" --build-tests

    local round
    failed=()
    for ((round = 1; round <= times; round++)); do
        [[ $times -eq 1 ]] || say "Round $round of $times"
        case $only in
            '')
                run "Tests" swift_test --parallel --skip "$lone_suites" --skip "$busy_suites"
                run "Tests with Redis" swift_test --parallel --experimental-maximum-parallelization-width "$busy_width" \
                    --filter "$busy_suites" --skip "$lone_suites"
                run "Hot paths" swift_test --no-parallel --filter HotPathTests
                run "Fault tests" fault_tests
                run "Operation tests" operation_tests
                run "Tests with Pusher's libraries" pusher_tests
                run "Browser tests" browser_tests
                ;;
            operations) run "Operation tests" operation_tests ;;
            pusher) run "Tests with Pusher's libraries" pusher_tests ;;
            browser) run "Browser tests" browser_tests ;;
            faults) run "Fault tests" fault_tests ;;
            *) run "Tests of $only" swift_test --filter "$only" ;;
        esac
    done
    [[ ${#failed[@]} -eq 0 ]] || die "not everything passed:$(printf '\n%s' "${failed[@]}")"
    say "All tests passed"
}

# run NAME COMMAND...: a step that lets the others follow whatever comes of it. What it says of failures is said once more at
# the end, where it is looked for.
run() {
    local said
    said=$(mktemp)
    if ! step "$@" 2>&1 | tee "$said"; then
        failed+=("$1" "$(grep -aE '^(✘|FAIL:|ERROR:)' "$said" | sed 's/^/    /' | head -n 40 || true)")
    fi
    rm "$said"
}

# What one lot says comes behind what another does. The tests are called as they are: swift test lets no second one of its
# kind into the build folder.
fault_tests() {
    local lot said status=0 others=() rest=()
    said=$(mktemp -d)
    trap 'kill "${others[@]}" 2>/dev/null' INT TERM
    for lot in "${!fault_lots[@]}"; do
        test_lot --filter "${fault_lots[lot]}" >"$said/$lot" 2>&1 &
        others+=("$!")
        rest+=(--skip "${fault_lots[lot]}")
    done
    test_lot --filter Faults "${rest[@]}" || status=1
    for lot in "${!fault_lots[@]}"; do
        wait "${others[lot]}" || status=1
        cat "$said/$lot"
    done
    trap - INT TERM
    rm -r "$said"
    return "$status"
}

test_lot() {
    timeout --kill-after=10 2400 "$tests" --testing-library swift-testing --no-parallel "$@"
}

# --skip-build keeps swift test from compiling everything once more for testable imports, which no test here uses.
swift_test() {
    local in_time=(timeout --kill-after=10)
    # On a terminal it stays in our process group, where Ctrl-C reaches it.
    [[ ! -t 0 ]] || in_time+=(--foreground)
    "${in_time[@]}" 2400 swift test "${swift_flags[@]}" --skip-build --disable-xctest "$@"
}
