import GatewayCore
import Logging
import Synchronization

/// Tells the log of the first refusal of each kind, so that an operator who sees clients turned away finds the setting.
final class RefusalLog: Sendable {
    private let told = Mutex<Set<SocketMetrics.Refusal>>([])
    private let logger: Logger

    init(logger: Logger) {
        self.logger = logger
    }

    /// - Parameter address: nil where it is not known, or not the cause.
    func record(_ refusal: SocketMetrics.Refusal, from address: IPAddress?) {
        guard let setting = refusal.setting, told.withLock({ $0.insert(refusal).inserted }) else { return }
        logger.warning(
            "handshakes are being refused; only the first is told of",
            metadata: [
                "reason": "\(refusal.rawValue)", "setting": "\(setting)",
                "address": "\(address?.description ?? "unknown")",
            ])
    }
}

extension SocketMetrics.Refusal {
    /// What an operator would change, where that may be wanted.
    fileprivate var setting: String? {
        switch self {
        case .address: "client.maxConnectionsPerAddress"
        case .flooded: "client.acceptRate"
        case .full, .strangers: "client.maxConnections"
        case .origin, .misdirected: "client.origins"
        case .malformed, .timeout, .tls, .version, .subprotocol, .draining, .banned, .path: nil
        }
    }
}
