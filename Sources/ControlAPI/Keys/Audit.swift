import GatewayCore
import Hummingbird
import Logging
import NIOCore
import Synchronization

/// Tells the log, and the ledger that all nodes share, of each call that changes something, and of each that oversteps
/// its key: who, what, whom and the result, never what was sent.
///
/// A read that oversteps is told to the log alone, and not each time: a page that asks every few seconds changes nothing.
struct Audit: Sendable {
    private final class Overstepping: Sendable {
        let pace = Mutex(AuditPace())
    }

    let logger: Logger
    /// Nil where there is none.
    let ledger: (any CallLedger)?
    private let overstepping = Overstepping()

    init(logger: Logger, ledger: (any CallLedger)?) {
        self.logger = logger
        self.ledger = ledger
    }

    /// - Parameters:
    ///   - key: the name of the key that opened it, or what stands for the app that signed it.
    ///   - whom: the room, user or block of addresses; nil where the call names none.
    func record(
        _ key: String, _ route: Route, _ method: HTTPRequest.Method, whom: String?, _ status: HTTPResponse.Status
    ) {
        let scope = route.scope(of: method)
        // Most calls are such, and nobody reads of them: nothing is spelled for them.
        if scope == .broadcast, status != .forbidden, logger.logLevel > .debug { return }
        let isRead = scope == .read || method == .get || method == .head
        if isRead, status != .forbidden { return }
        let call = "\(method.rawValue) \(route.name)"
        let level: Logger.Level
        switch scope {
        case _ where status == .forbidden:
            if isRead, !isDue(key, call) { return }
            level = .notice
        case nil, .read: return
        // There may be thousands a second.
        case .broadcast: level = .debug
        case .moderate, .admin: level = .notice
        }
        let whom = AuditText.printable(whom ?? "")
        if level == .notice, !isRead {
            ledger?.note(BackendCall(key: key, call: call, whom: whom, status: status.code))
        }
        logger.log(
            level: level, "audit",
            metadata: ["key": "\(key)", "call": "\(call)", "whom": "\(whom)", "result": "\(status.code)"])
    }

    private func isDue(_ key: String, _ call: String) -> Bool {
        let now = MonotonicTime(nanoseconds: Int64(NIODeadline.now().uptimeNanoseconds))
        return overstepping.pace.withLock { $0.isDue(key, call, now: now) }
    }
}

/// When a read that oversteps its key is told again: a minute after the last of the same key and route.
package struct AuditPace: Sendable {
    private struct Read: Hashable {
        let key: String
        let call: String
    }

    private static let interval = Duration.seconds(60)
    /// Beyond it those before are forgotten.
    private static let most = 10_000

    private var told: [Read: MonotonicTime] = [:]

    package init() {}

    package mutating func isDue(_ key: String, _ call: String, now: MonotonicTime) -> Bool {
        let read = Read(key: key, call: call)
        if let last = told[read], now - last < AuditPace.interval { return false }
        if told.count >= AuditPace.most { told = [:] }
        told[read] = now
        return true
    }
}

/// A name out of a path, as it may stand in a line.
enum AuditText {
    private static let maxBytes = 256

    /// With U+FFFD for what does not print, cut to what a name may need.
    static func printable(_ text: String) -> String {
        var shown = String.UnicodeScalarView()
        var bytes = 0
        for scalar in text.unicodeScalars {
            let shownScalar = prints(scalar) ? scalar : "\u{FFFD}"
            bytes += UTF8.width(shownScalar)
            guard bytes <= maxBytes else { break }
            shown.append(shownScalar)
        }
        return String(shown)
    }

    private static func prints(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: false
        default: true
        }
    }
}
