# Building. Runs and tests share one set of release products: docker/swift.flags goes with every call of swift.

read -r -a swift_flags <docker/swift.flags
martlet=.build/release/martlet
tests=.build/release/martletPackageTests.xctest

# build FILE OPTIONS OF SWIFT BUILD...: FILE is what comes of it; while it is missing, patience is asked for.
build() {
    local product=$1
    shift
    if [[ -x $product ]]; then
        say "Building what has changed (release)"
    else
        say "Building for the first time (release): 10 to 20 minutes on two cores; the next time takes seconds"
    fi
    local began=$SECONDS
    # On a terminal SwiftPM keeps to one line; elsewhere it would write a line for each file.
    if [[ -t 1 ]]; then
        swift_build "$@" || die "the build failed"
    else
        swift_build "$@" </dev/null 2>&1 | thin_progress || die "the build failed"
    fi
    say "Built in $((SECONDS - began)) s"
}

# SwiftPM gives the traits of a package to the compiler in the order of a hash table, and builds anew whatever is
# compiled with other arguments than before: one order for all times, or every other build would do Hummingbird again.
swift_build() {
    SWIFT_DETERMINISTIC_HASHING=1 swift build "${swift_flags[@]}" "$@"
}

# Passes everything through but "[12/345] Compiling ..." lines, of which it lets one through in ten seconds.
thin_progress() {
    local line shown=-10
    while IFS= read -r line || [[ -n $line ]]; do
        if [[ $line =~ ^\[[0-9]+/[0-9]+\]\  ]]; then
            ((SECONDS - shown >= 10)) || continue
            shown=$SECONDS
        fi
        printf '%s\n' "$line"
    done
}
