import GatewayCore
import Hummingbird
import Logging

/// Tells the log, and the ledger that all nodes share, of each call that changes something, and of each that oversteps its key: who, what, whom and the result,
/// never what was sent.
struct Audit: Sendable {
    let logger: Logger
    /// Nil where there is none.
    var ledger: (any CallLedger)?

    /// - Parameter whom: the room, user or block of addresses; nil where the call names none.
    func record(
        _ key: BackendKey, _ route: Route, _ method: HTTPRequest.Method, whom: String?, _ status: HTTPResponse.Status
    ) {
        let scope = route.scope(of: method)
        let level: Logger.Level
        switch scope {
        case _ where status == .forbidden: level = .notice
        case nil, .read: return
        // There may be thousands a second.
        case .broadcast: level = .debug
        case .moderate, .admin: level = .notice
        }
        if level == .notice {
            ledger?.note(
                BackendCall(
                    key: key.name, call: "\(method.rawValue) \(route.name)", whom: whom ?? "", status: status.code))
        }
        logger.log(
            level: level, "audit",
            metadata: [
                "key": "\(key.name)", "call": "\(method.rawValue) \(route.name)", "whom": "\(whom ?? "")",
                "result": "\(status.code)",
            ])
    }
}
