import Foundation
import NIOCore
import NIOPosix

/// Binds a port for a moment, to say by its keys what is wrong with it before anything is begun.
enum PortTrial {
    /// Why an address cannot be had.
    enum Problem: Error, Hashable {
        /// Something else listens there.
        case taken
        /// The host cannot be had, for the reason.
        case host(String)
        /// The port cannot be had, for the reason.
        case port(String)
        /// Either cannot.
        case other(String)

        init(_ error: any Error, host: String, port: Int) {
            switch error {
            case let error as IOError where error.errnoCode == EADDRINUSE: self = .taken
            case let error as IOError where error.errnoCode == EADDRNOTAVAIL:
                self = .host("\(host) is no address of this machine")
            case let error as IOError where error.errnoCode == EACCES:
                self = .port("\(port) is for privileged processes alone")
            case is SocketAddressError, is SocketAddressError.UnknownHost:
                self = .host("\"\(host)\" is neither an address nor a name that leads to one")
            case let error as IOError: self = .other(String(cString: strerror(error.errnoCode)))
            default: self = .other("\(error)")
            }
        }
    }

    /// What is to be closed again.
    static func bind(host: String, port: Int, on group: any EventLoopGroup) async throws(Problem) -> any Channel {
        do {
            return try await ServerBootstrap(group: group)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(host: host, port: port).get()
        } catch {
            throw Problem(error, host: host, port: port)
        }
    }

    /// Tries both ports of a node at once, since they may be the same.
    static func tryPorts(of settings: Settings) async throws(NodeFailure) {
        // One of its own, which takes with it what it bound.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let failure = await failure(of: settings, on: group)
        // It fails for a group that has ended already.
        try? await group.shutdownGracefully()
        if let failure { throw failure }
    }

    private static func failure(of settings: Settings, on group: any EventLoopGroup) async -> NodeFailure? {
        let ports = [
            ("client", settings.client.host, settings.client.port), ("api", settings.api.host, settings.api.port),
        ]
        for (key, host, port) in ports {
            do throws(Problem) {
                _ = try await bind(host: host, port: port, on: group)
            } catch {
                return NodeFailure(error, key: key, host: host, port: port)
            }
        }
        return nil
    }
}

extension NodeFailure {
    /// - Parameter key: what the port's keys begin with.
    init(_ problem: PortTrial.Problem, key: String, host: String, port: Int) {
        switch problem {
        case .taken:
            self.init(
                "a port is taken: \(host):\(port) (MARTLET_\(key.uppercased())_PORT moves it)",
                status: NodeFailure.unavailable)
        case .host(let reason):
            self.init("\(key).host: \(reason)", status: NodeFailure.configuration)
        case .port(let reason):
            self.init("\(key).port: \(reason)", status: NodeFailure.configuration)
        case .other(let reason):
            self.init(
                "\(key).host, \(key).port: \(host):\(port) cannot be had: \(reason)", status: NodeFailure.unavailable)
        }
    }
}
