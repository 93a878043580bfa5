#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Runs `body` and ends the fuzzer with a find where it takes more of a processor than so many bytes may: a millisecond
/// for 64 KiB, and for a few bytes half of that, which all that surrounds them fits into.
///
/// It is this thread's own time that counts, not what others on the machine leave of it; and of an input that took too
/// long the best of three more tries, since a page that had to be fetched is no fault of the input.
///
/// - Parameter bytes: of the input, and of what it stands for where that is more.
func requireCheap(_ bytes: Int, _ body: () -> Void) {
    let allowed = max(500_000, bytes * 1_000_000 >> 16)
    var best = nanoseconds(of: body)
    var tries = 3
    while best > allowed, tries > 0 {
        best = min(best, nanoseconds(of: body))
        tries -= 1
    }
    require(best <= allowed, "\(best) ns of a processor for \(bytes) bytes, of which \(allowed) would be fair")
}

private func nanoseconds(of body: () -> Void) -> Int {
    let start = threadTime()
    body()
    return threadTime() - start
}

private func threadTime() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
}
