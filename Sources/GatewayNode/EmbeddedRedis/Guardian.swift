import Glibc

/// The small shell that starts Redis and ends it when the node is gone, in whatever way.
///
/// The node holds one end of a pair of sockets and never writes; the shell's watcher reads the other. End of file
/// comes when the last copy of the node's end closes: by the node's own hand, or by the kernel when the node is killed. A death
/// signal for the child (PR_SET_PDEATHSIG) would not do: it fires when the forking thread ends.
package enum Guardian {
    /// `POSIX_SPAWN_SETSID`, which glibc's header shows to GNU sources only.
    private static let newSession: Int32 = 0x80

    /// Runs under `sh -c` with the folder as `$1` and Redis's command after it; standard input is the
    /// shell's end of the pair. Its exit
    /// status is Redis's, and when it has ended, Redis and the folder are gone.
    ///
    /// Redis keeps nothing, so it is killed outright: a stopped or busy one would sit out a gentler signal. The
    /// watcher removes the folder as well, for the case that someone killed the shell above it.
    ///
    /// It runs as a batch process (`SCHED_BATCH`, sched(7)): woken by what the node has written, Redis does not take the
    /// core that both may share from under it, but waits until the node's turn is over. Where there is no `chrt`, or it
    /// may not, that is left out.
    package static let script = """
        folder=$1
        shift
        exec 3<&0 </dev/null
        chrt --batch --pid 0 $$ 2>/dev/null
        "$@" 3<&- &
        redis=$!
        {
            while read -r line; do :; done <&3
            kill -KILL "$redis"
            rm -rf "$folder"
        } &
        watcher=$!
        exec 3<&-
        wait "$redis"
        status=$?
        kill -KILL "$watcher"
        rm -rf "$folder"
        exit "$status"
        """

    /// Redis's own words for: on this socket only, keeping nothing, and no more than a laptop can spare.
    package static func redisCommand(_ program: String, folder: String) -> [String] {
        [
            program, "--port", "0", "--unixsocket", "\(folder)/redis.sock", "--unixsocketperm", "700",
            "--dir", folder, "--save", "", "--appendonly", "no", "--maxmemory", "1gb", "--maxmemory-policy",
            "noeviction", "--daemonize", "no", "--loglevel", "warning",
        ]
    }

    /// Starts the shell in a session of its own, so that a terminal's Ctrl-C reaches the node alone.
    ///
    /// The child has `input` as standard input, `output` for all it says and no other descriptor, signals as a fresh process has them, and
    /// none of the node's environment but the search path.
    package static func start(
        folder: String, command: [String], input: Int32, output: Int32
    ) throws(EmbeddedRedisError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }

        posix_spawn_file_actions_adddup2(&actions, input, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        closeFrom?(&actions, 3)
        // An ignored signal stays ignored across exec and sh cannot undo it; a blocked one stays blocked.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGCHLD, SIGUSR1, SIGUSR2, SIGALRM] {
            sigaddset(&signals, signal)
        }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        let flags = newSession | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var pid: pid_t = 0
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
        let failure = withCStrings(["sh", "-c", script, "guardian", folder] + command) { arguments in
            withCStrings(["PATH=\(path)", "LC_ALL=C"]) { environment in
                posix_spawn(&pid, "/bin/sh", &actions, &attributes, arguments, environment)
            }
        }
        guard failure == 0 else { throw .failed("sh", failure) }
        return pid
    }

    /// `posix_spawn_file_actions_addclosefrom_np` of glibc 2.34 and later; older ones leave it to close-on-exec.
    ///
    /// Looked up by name since glibc's header shows it to GNU sources only.
    private static var closeFrom: ((UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Void)? {
        guard let symbol = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np") else { return nil }
        typealias CloseFrom = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32
        let function = unsafeBitCast(symbol, to: CloseFrom.self)
        return { _ = function($0, $1) }
    }

    /// The first program of that name in the search path that may be run.
    package static func find(_ program: String, in path: String) -> String? {
        path.split(separator: ":").map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
    }

    /// Hands out the strings as C wants a list of them, valid within `body` only.
    private static func withCStrings<Result>(
        _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        let copies = strings.map { strdup($0) } + [nil]
        defer { copies.forEach { free($0) } }
        return copies.withUnsafeBufferPointer { buffer in
            guard let list = buffer.baseAddress else { preconditionFailure("a list that ends with nil is empty") }
            return body(list)
        }
    }
}
