# `docker/local microbench`: how long the small steps of the hot path take, and how many instructions where this machine
# counts them (most virtual ones do not).

micro_rounds=300
micro_log=.build/microbench.log

microbench() {
    need_packages "${build_packages[@]}" redis-server
    build "$tests" --build-tests
    local results
    results=$(measure_rounds "$micro_rounds" Microbenchmarks) || die "a microbenchmark failed; the log is $micro_log"
    [[ -n $results ]] || die "no microbenchmark was found"

    local counts_instructions=no
    ! counter_works || counts_instructions=yes
    [[ $counts_instructions = yes ]] || say "No instruction counts: this machine, or perf on it, does not give them"
    say "Best of $micro_rounds rounds"
    printf '%12s %14s  %s\n' 'ns' 'instructions' 'one operation'
    local mark test operations nanoseconds name instructions
    while IFS='|' read -r mark test operations nanoseconds name; do
        instructions=-
        [[ $counts_instructions = no ]] || instructions=$(count_instructions "$test" "$operations")
        printf '%12s %14s  %s\n' "$nanoseconds" "$instructions" "$name"
    done <<<"$results"
}

# measure_rounds ROUNDS FILTER: the lines that the suites print, one for each piece.
measure_rounds() {
    MARTLET_MICROBENCH=$1 swift test "${swift_flags[@]}" --skip-build --disable-xctest --no-parallel --filter "$2" \
        </dev/null 2>&1 | tee "$micro_log" | grep '^microbenchmark|'
}

counter_works() {
    command -v perf >/dev/null && perf stat -x, -e instructions:u true 2>&1 | grep -q '^[0-9][0-9]*,'
}

# count_instructions TEST OPERATIONS: what more rounds take more, so that all that is not the piece itself falls out. A test
# with several arguments measures several pieces, whose count cannot be told apart.
count_instructions() {
    [[ $1 = *'()' ]] || { printf -- '-\n' && return; }
    local few more
    few=$(instructions_of "$1" 100)
    more=$(instructions_of "$1" 400)
    printf '%s\n' $(((more - few) / (300 * $2)))
}

instructions_of() {
    local name=${1%()} count
    count=$(MARTLET_MICROBENCH=$2 perf stat -x, -e instructions:u -o /dev/stdout \
        swift test "${swift_flags[@]}" --skip-build --disable-xctest --no-parallel \
        --filter "Microbenchmarks/$name" </dev/null 2>/dev/null | grep ',instructions:u,')
    printf '%s\n' "${count%%,*}"
}
