import Glibc

/// The images that a system writes of processes that crash: of this one they would hold keys.
enum CoreDumps {
    /// None is written from here on, whatever the shell or the service manager allows. To be called before a secret is read.
    static func forbid() {
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        // Lowering a limit of one's own is refused to nobody.
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
    }
}
