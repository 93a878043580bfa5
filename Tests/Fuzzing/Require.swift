/// Ends the fuzzer with a find where something does not hold; unlike `precondition` it says so in optimized code too.
func require(_ holds: Bool, _ finding: @autoclosure () -> String) {
    if !holds { fatalError(finding()) }
}
