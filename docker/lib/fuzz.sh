# `docker/local fuzz`: libFuzzer with the address sanitizer over the pure sources, compiled anew with its probes in them.
# Only NIOCore, for its ByteBuffer, comes from the release build as it is. Each starts from Tests/Fuzzing/Corpus: the fewest
# inputs that reach all that was ever reached, as libFuzzer's -set_cover_merge=1 picks them.

fuzzed=(Frames Compression Offers JSON)
fuzz_folder=.build/fuzz

fuzz() {
    local seconds=${1:-60}
    [[ $seconds =~ ^[1-9][0-9]*$ && $seconds -ge ${#fuzzed[@]} ]] || die "fuzz wants a number of seconds, ${#fuzzed[@]} or more"
    need_packages "${build_packages[@]}"
    build .build/release/Modules/NIOCore.swiftmodule --target WebSocketFrames
    mkdir -p "$fuzz_folder"
    local name
    for name in "${fuzzed[@]}"; do
        step "Compiling the fuzzer of $name" compile_fuzzer "$name"
    done
    for name in "${fuzzed[@]}"; do
        run_fuzzer "$name" $((seconds / ${#fuzzed[@]}))
    done
    say "Nothing found in $seconds s"
}

compile_fuzzer() {
    local sources
    case $1 in
        JSON) sources=(Sources/Dialects/JSON/JSON{Scanner,Value,Error}*.swift) ;;
        *) sources=(Sources/WebSocketFrames/*.swift Sources/WebSocketFrames/Compression/*.swift) ;;
    esac
    local arguments=()
    [[ $1 = JSON ]] || find_nio_core
    swiftc -O -sanitize=fuzzer,address -parse-as-library -swift-version 6 -warnings-as-errors -package-name martlet -module-name "Fuzz$1" \
        -use-ld=lld "${sources[@]}" Tests/Fuzzing/{Require,ProcessorTime}.swift "Tests/Fuzzing/$1.swift" "${arguments[@]}" -o "$fuzz_folder/$1"
}

# Sets `arguments` to what a compiler needs to import NIOCore and to link it.
find_nio_core() {
    local release=.build/release checkouts=.build/checkouts folder map
    arguments=(-I "$release/Modules" -I Sources/CZlib)
    for folder in "$checkouts"/swift-nio/Sources/CNIO{Atomics,Darwin,FreeBSD,Linux,OpenBSD,WASI,Windows} \
        "$checkouts/swift-atomics/Sources/_AtomicsShims"; do
        map=$folder/include/module.modulemap
        [[ -e $map ]] || map=$release/${folder##*/}.build/module.modulemap
        arguments+=(-Xcc "-fmodule-map-file=$map" -Xcc -I -Xcc "$folder/include")
    done
    local module object
    for module in NIOCore NIOConcurrencyHelpers _NIOBase64 _NIODataStructures CNIO{Atomics,Linux} Atomics _AtomicsShims \
        DequeModule InternalCollectionsUtilities ContainersPreview; do
        while IFS= read -r -d '' object; do
            arguments+=("$object")
        done < <(find "$release/$module.build" -name '*.o' -print0)
    done
}

# run_fuzzer NAME SECONDS: what it learns stays in the build folder, and what it starts from is in the project.
run_fuzzer() {
    local name=$1 learnt=$fuzz_folder/$1.corpus log=$fuzz_folder/$1.log
    mkdir -p "$learnt"
    say "Fuzzing $name for $2 s"
    # An input that takes five seconds or a GiB is a find too; so is one that takes more of a processor than its bytes may. Swift's own crash report would hide the sanitizer's.
    if SWIFT_BACKTRACE=enable=no "$fuzz_folder/$name" -max_total_time="$2" -max_len=4096 -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="$fuzz_folder/$name." "$learnt" "Tests/Fuzzing/Corpus/$name" >"$log" 2>&1; then
        grep -E '^stat::(number_of_executed_units|average_exec_per_sec|peak_rss_mb)' "$log"
    else
        tail -n 60 "$log" >&2
        die "the fuzzer of $name has found something; the input is named above"
    fi
}
