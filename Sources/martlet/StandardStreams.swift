import Glibc

/// The three streams that a process is given at its start.
enum StandardStreams {
    /// Opens on `/dev/null` those that whoever started the process has closed. To be called before anything else is opened:
    /// it would have one of their numbers, and log lines would go into a socket or a database's file.
    static func fill() {
        var opened: CInt
        repeat { opened = open("/dev/null", O_RDWR) } while (STDIN_FILENO...STDERR_FILENO).contains(opened)
        if opened > STDERR_FILENO { close(opened) }
    }
}
