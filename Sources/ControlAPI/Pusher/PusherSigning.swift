import Crypto
import Dialects
import GatewayCore

/// What the query of a request to Pusher's HTTP API says of who made it, and whether that is so.
///
/// Whatever is wrong is `unauthorized`; nothing of it tells more than whoever holds the secret knows.
struct PusherSigning: Sendable {
    /// Of the app, as the request names it.
    let key: String
    /// Seconds since 1970, when it was made.
    private let timestamp: Int64
    private let signature: String
    /// MD5 of the body, in hexadecimal.
    private let digest: String?
    /// What may have been signed: libraries sign a path and a query before they encode them, or as they send them.
    private let texts: [String]

    /// So many seconds a request may be older than now, or newer.
    static let window: Int64 = 600

    /// - Parameters:
    ///   - path: as it stands in the request.
    ///   - query: the same, without its `?`.
    init(method: String, path: String, query: String, target: RequestTarget) throws(RequestError) {
        func parameter(_ name: String) throws(RequestError) -> String {
            guard let value = try target.value(name), !value.isEmpty else {
                throw PusherSigning.refusal("\(name): missing")
            }
            return value
        }
        // What anybody may send is bounded before the texts are made that it may be the signature of.
        guard target.query.count <= PusherSigning.mostParameters else {
            throw PusherSigning.refusal("the query has more than \(PusherSigning.mostParameters) parameters")
        }
        key = try parameter("auth_key")
        guard let seconds = Int64(try parameter("auth_timestamp")), (0...PusherSigning.latest).contains(seconds) else {
            throw PusherSigning.refusal("auth_timestamp: must be seconds since 1970")
        }
        timestamp = seconds
        guard try parameter("auth_version") == "1.0" else {
            throw PusherSigning.refusal("auth_version: only 1.0 is known")
        }
        signature = try parameter("auth_signature")
        digest = try target.value("body_md5")
        texts = PusherSigning.texts(method: method, path: path, query: query, target: target)
    }

    /// Calls have ten at most.
    private static let mostParameters = 32

    /// The end of the year 9999: nothing that is reckoned with it leaves the range.
    private static let latest: Int64 = 253_402_300_799

    /// - Parameter now: seconds since 1970.
    func check(by app: PusherApp, now: Int64) throws(RequestError) {
        guard key == app.key else { throw PusherSigning.refusal("auth_key: not the key of this app") }
        // All of them, so that the time does not tell which.
        let isValid = texts.reduce(false) { isValid, text in
            PusherSignature.isValid(signature, of: text.utf8, secrets: app.secrets) || isValid
        }
        guard isValid else {
            throw PusherSigning.refusal(
                "auth_signature: not the one of this request (method, path and query, with the secret of the app)")
        }
        guard abs(now - timestamp) <= PusherSigning.window else {
            throw PusherSigning.refusal(
                "auth_timestamp: \(timestamp) is more than \(PusherSigning.window) s from the time here, \(now)")
        }
    }

    /// Whether the body is the one that was signed.
    func check(_ body: [UInt8]) throws(RequestError) {
        guard !body.isEmpty else { return }
        guard let digest else { throw PusherSigning.refusal("body_md5: missing, and there is a body") }
        guard digest.lowercased() == HexDigits.text(Insecure.MD5.hash(data: body)) else {
            throw PusherSigning.refusal("body_md5: not the one of this body")
        }
    }

    private static func refusal(_ message: String) -> RequestError { RequestError(.unauthorized, message) }

    private static func texts(method: String, path: String, query: String, target: RequestTarget) -> [String] {
        var paths = [path]
        if let decoded = RequestTarget.decode(path.utf8, plusIsSpace: false), decoded != path, !decoded.contains("%") {
            paths.append(decoded)
        }
        var queries = [target.query]
        for isDecoded in [false, true] {
            let pairs = RequestTarget.pairs(query) { part in
                isDecoded ? RequestTarget.decode(part, plusIsSpace: false) : String(Substring(part))
            }
            if let pairs { queries.append(pairs) }
        }
        // With an `&` of its own a value reads as two parameters: one signature would be that of two requests.
        queries.removeAll { $0.contains { $0.name.contains("&") || $0.value.contains("&") } }
        var texts: [String] = []
        for path in paths {
            for parameters in queries {
                let text = PusherSignature.text(method: method, path: path, parameters: parameters)
                if !texts.contains(text) { texts.append(text) }
            }
        }
        return texts
    }
}
