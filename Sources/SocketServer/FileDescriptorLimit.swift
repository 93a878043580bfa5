#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The limit on files and sockets that this process may have open.
package enum FileDescriptorLimit {
    /// Raises the soft limit to the hard one; answers with the soft limit before and now.
    package static func raise() -> (before: Int, now: Int) {
        let before = limits
        var raised = before
        raised.rlim_cur = before.rlim_max
        guard raised.rlim_cur != before.rlim_cur, setrlimit(kind, &raised) == 0 else {
            return (clamped(before.rlim_cur), clamped(before.rlim_cur))
        }
        return (clamped(before.rlim_cur), clamped(limits.rlim_cur))
    }

    /// The soft limit.
    package static var current: Int { clamped(limits.rlim_cur) }

    private static var limits: rlimit {
        var limits = rlimit()
        // It fails only for a bad pointer or an unknown resource.
        _ = getrlimit(kind, &limits)
        return limits
    }

    private static func clamped(_ limit: rlim_t) -> Int { Int(clamping: limit) }

    #if canImport(Glibc)
        private static var kind: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_NOFILE.rawValue) }
    #else
        private static var kind: Int32 { RLIMIT_NOFILE }
    #endif
}
