# `docker/local rules`: the tests of GatewayCore and Dialects in a debug build of these alone, in a package of their own
# whose sources are this one's. Nothing is fetched, and a change is tested within seconds.

rules_package=.build/rules

test_rules() {
    [[ $# -le 1 ]] || die "rules takes one name: a target, a suite, or a part of a test's name"
    command -v swift >/dev/null || die "no swift here: install Swift 6.3 or later, see https://www.swift.org/install/linux/"
    mkdir -p "$rules_package"
    cmp -s docker/lib/rules.Package.swift "$rules_package/Package.swift" \
        || cp docker/lib/rules.Package.swift "$rules_package/Package.swift"
    ln -sfn ../../Sources "$rules_package/Sources"
    ln -sfn ../../Tests "$rules_package/Tests"
    # A name that fits nothing passes no test, and must not look as though it did.
    swift test --package-path "$rules_package" --disable-xctest ${1:+--filter "$1"} | tee "$rules_package/log" || return
    ! grep -q 'Test run with 0 tests' "$rules_package/log" || die "no test of the rules fits $1"
}
