import Foundation
import LoadBench

/// A node of this very program with a private Redis, for one measurement; it ends with it, in whatever way that ends.
///
/// A small shell starts it and holds one end of a pipe whose other end this process has. End of file comes when that closes: by
/// its own hand, or by the kernel when it is killed.
final class OwnNode {
    let clientPort: UInt16
    let apiPort: UInt16
    /// Of the one app whose clients it serves.
    let appKey = "capacity"
    let key = "capacity-\(UInt64.random(in: 0 ... .max))-\(UInt64.random(in: 0 ... .max))"
    private let shell: ChildProcess

    /// The node's command is `$@`. It keeps nothing, so it is killed outright: a stopped or busy one would sit out a gentler
    /// signal; its Redis ends with it. The shell's exit status is the node's.
    private static let script = """
        exec 3<&0 </dev/null >/dev/null
        "$@" 3<&- &
        node=$!
        {
            while read -r line; do :; done <&3
            kill -KILL "$node"
        } &
        watcher=$!
        exec 3<&-
        wait "$node" 2>/dev/null
        status=$?
        kill -KILL "$watcher" 2>/dev/null
        exit "$status"
        """

    /// Starts it, and waits until it is ready.
    init(program: String, threads: Int) throws {
        clientPort = try OwnNode.freePort()
        apiPort = try OwnNode.freePort()
        // Nothing of the operator's own settings, which may name a Redis that others use.
        var environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("MARTLET_") }
        environment.merge([
            "MARTLET_NODE_ID": "capacity", "MARTLET_CLIENT_PORT": "\(clientPort)", "MARTLET_API_PORT": "\(apiPort)",
            "MARTLET_API_KEY": key, "MARTLET_AUTH_MODE": "none", "MARTLET_LOG_LEVEL": "error",
            "MARTLET_THREADS": "\(threads)", "MARTLET_CLIENT_ACCEPT_RATE": "100000",
            "MARTLET_PUSHER_APP_ID": "capacity", "MARTLET_PUSHER_KEY": appKey, "MARTLET_PUSHER_SECRET": key,
        ]) { $1 }
        shell = try ChildProcess(
            ["/bin/sh", "-c", OwnNode.script, "capacity", program, "serve"],
            environment: environment.map { "\($0)=\($1)" })
        let target = HealthProbe.Target(host: "127.0.0.1", port: Int(apiPort), path: "/readyz", isSecure: false)
        let end = ContinuousClock.now + .seconds(20)
        while (try? HealthProbe.status(of: target, timeout: 2)) != 200 {
            guard shell.isRunning, ContinuousClock.now < end else {
                stop()
                throw BenchFailure("a node of its own does not become ready")
            }
            usleep(50_000)
        }
    }

    func stop() { shell.end() }

    /// One that nobody has just now.
    private static func freePort() throws -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 ? getsockname(descriptor, $0, &length) : -1
            }
        }
        guard descriptor >= 0, status == 0 else { throw BenchFailure("no port is to be had") }
        return UInt16(bigEndian: address.sin_port)
    }
}
