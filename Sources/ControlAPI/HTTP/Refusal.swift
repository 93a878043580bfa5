import Dialects
import GatewayCore
import Hummingbird

/// A request that is answered with an error: its status, the body in the contract's shape, and what else the head says.
struct Refusal: Error {
    var status: HTTPResponse.Status
    var error: RequestError
    var headers = HTTPFields()
    /// Which version there is, where another was named.
    var version: Int64?

    init(
        _ status: HTTPResponse.Status, _ error: RequestError, headers: HTTPFields = HTTPFields(), version: Int64? = nil
    ) {
        self.status = status
        self.error = error
        self.headers = headers
        self.version = version
    }

    /// The status that fits the code.
    init(_ error: RequestError) {
        self.init(Refusal.status(of: error.code), error)
    }

    /// In the contract's shape.
    var body: [UInt8] { JSONWriter.body(of: error, version: version) }

    /// The client has gone before its request was whole.
    static var brokenOff: Refusal {
        Refusal(RequestError(.badRequest, "the request ended in the middle"))
    }

    static func notFound(_ message: String) -> Refusal {
        Refusal(RequestError(.notFound, message))
    }

    static var missingKey: Refusal {
        Refusal(
            .unauthorized, RequestError(.unauthorized, "Authorization: Bearer with a valid API key is needed"),
            headers: [.wwwAuthenticate: #"Bearer realm="martlet""#])
    }

    /// The rate of a key or an app is spent.
    static func spent(_ who: String, _ wait: Duration) -> Refusal {
        Refusal(
            .tooManyRequests, RequestError(.rateLimited, "\(who) has made all its requests of this second"),
            headers: [.retryAfter: "\(max(1, wait.components.seconds + 1))"])
    }

    static func methodNotAllowed(_ allowed: [HTTPRequest.Method]) -> Refusal {
        let methods = allowed.map(\.rawValue).joined(separator: ", ")
        return Refusal(
            .methodNotAllowed, RequestError(.badRequest, "only \(methods) is answered here"), headers: [.allow: methods]
        )
    }

    static func unsupportedMediaType(_ message: String) -> Refusal {
        Refusal(.unsupportedMediaType, RequestError(.badRequest, message))
    }

    static func status(of code: ErrorCode) -> HTTPResponse.Status {
        switch code {
        case .badRequest: .badRequest
        case .unauthorized: .unauthorized
        case .forbidden, .notMember: .forbidden
        case .notFound: .notFound
        case .rateLimited: .tooManyRequests
        case .conflict: .conflict
        case .versionRequired: .preconditionRequired
        case .tooLarge: .contentTooLarge
        case .misdirected: .misdirectedRequest
        case .unavailable: .serviceUnavailable
        }
    }
}
