import Dialects
import GatewayCore
import NIOHTTP1
import WebSocketFrames

/// What becomes of the one request that a client connection begins with (RFC 6455, section 4.2).
enum HandshakeVerdict {
    case upgrade(Upgrade)
    case reply(Reply)

    struct Upgrade {
        enum Target {
            /// `resuming` is the earlier session that the client names.
            case session(SessionMachine.Credentials, resuming: String?)
            case echo

            var isResuming: Bool {
                if case .session(_, .some) = self { return true }
                return false
            }
        }

        let target: Target
        let acceptKey: String
        /// Nil where the client offered none.
        let subprotocol: String?
        /// Nil where messages go uncompressed.
        let deflate: DeflateAgreement?
    }

    /// An answer after which the connection ends.
    struct Reply {
        var status: HTTPResponseStatus
        var headers: [(name: String, value: String)] = []
        var body: String
        /// Nil where nothing was refused.
        var refusal: SocketMetrics.Refusal?
        /// In place of `body`.
        var file: ClientFile?
        /// Only the headers are sent: a HEAD's answer, or a 304.
        var withholdsBody = false

        static func unavailable(_ refusal: SocketMetrics.Refusal) -> Reply {
            Reply(
                status: .serviceUnavailable, headers: [("Retry-After", "2")],
                body: "this node takes no more connections just now", refusal: refusal)
        }
    }
}

/// Judges requests by the configuration alone; how full the node is, is asked afterwards.
struct HandshakeRules: Sendable {
    let origins: Set<String>
    let isEchoing: Bool
    let takesTokens: Bool
    let isCompressing: Bool

    init(_ configuration: SocketServerConfiguration) {
        origins = configuration.origins
        isEchoing = configuration.isEchoing
        isCompressing = configuration.isCompressing
        switch configuration.authentication {
        case .none: takesTokens = false
        case .jwt: takesTokens = true
        }
    }

    func judge(_ head: HTTPRequestHead) -> HandshakeVerdict {
        guard head.uri.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return .refuse("bad characters in the path") }
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts.first ?? ""
        let query = parts.count > 1 ? parts[1] : ""
        let isEcho = path == "/echo" && isEchoing
        let file = ClientFile.at(path)
        guard path == "/ws" || path == "/healthz" || isEcho || file != nil else {
            return .reply(HandshakeVerdict.Reply(status: .notFound, body: "not found", refusal: .path))
        }
        guard head.method == .GET || head.method == .HEAD && file != nil else {
            let allow = [(name: "Allow", value: file == nil ? "GET" : "GET, HEAD")]
            return .reply(
                HandshakeVerdict.Reply(
                    status: .methodNotAllowed, headers: allow, body: "only GET", refusal: .malformed))
        }
        guard !head.announcesBody else { return .refuse("a body is not taken here") }
        if let file { return .reply(file.reply(to: head)) }
        if path == "/healthz" { return .reply(HandshakeVerdict.Reply(status: .ok, body: "ok")) }
        return judgeUpgrade(head, isEcho: isEcho, query: query)
    }

    private func judgeUpgrade(_ head: HTTPRequestHead, isEcho: Bool, query: Substring) -> HandshakeVerdict {
        guard head.version == .http1_1 else { return .refuse("HTTP/1.1 is needed") }
        guard head.headers["host"].count == 1 else { return .refuse("one Host header is needed") }
        guard head.lists("websocket", in: "upgrade"), head.lists("upgrade", in: "connection") else {
            return .upgradeRequired("this is a WebSocket")
        }
        guard head.headers["sec-websocket-version"] == ["13"] else {
            return .upgradeRequired("WebSocket version 13 is needed")
        }
        let keys = head.headers["sec-websocket-key"]
        guard let key = keys.first, keys.count == 1, Handshake.isValidKey(key) else {
            return .refuse("Sec-WebSocket-Key: not 16 bytes in base64")
        }
        if !origins.contains("*"), !head.headers["origin"].allSatisfy(origins.contains) {
            return .reply(
                HandshakeVerdict.Reply(status: .forbidden, body: "this origin is not let in", refusal: .origin))
        }
        let deflate: DeflateAgreement?
        do throws(DeflateAgreement.MalformedOffers) {
            deflate = try compression(head, isEcho: isEcho)
        } catch {
            return .refuse("Sec-WebSocket-Extensions cannot be read")
        }
        let acceptKey = Handshake.acceptKey(for: key)
        if isEcho {
            return .upgrade(
                HandshakeVerdict.Upgrade(target: .echo, acceptKey: acceptKey, subprotocol: nil, deflate: deflate))
        }
        let offersSubprotocols = head.headers.contains(name: "sec-websocket-protocol")
        let offers = offersSubprotocols ? head.headers[canonicalForm: "sec-websocket-protocol"] : []
        guard offers.isEmpty || offers.contains(where: { $0 == NativeDialect.subprotocol }) else {
            return .reply(
                HandshakeVerdict.Reply(
                    status: .badRequest, body: "the subprotocol spoken here is \(NativeDialect.subprotocol)",
                    refusal: .subprotocol))
        }
        let fields = QueryString(query)
        return .upgrade(
            HandshakeVerdict.Upgrade(
                target: .session(credentials(head, fields), resuming: session(fields)), acceptKey: acceptKey,
                subprotocol: offers.isEmpty ? nil : NativeDialect.subprotocol, deflate: deflate))
    }

    /// A name that cannot be right is as good as one that nobody knows: a new session begins.
    private func session(_ query: QueryString) -> String? {
        guard let session = try? query.value(of: "session"), !session.isEmpty else { return nil }
        return session
    }

    private func credentials(_ head: HTTPRequestHead, _ query: QueryString) -> SessionMachine.Credentials {
        let name = takesTokens ? "token" : "userId"
        let value: String?
        do throws(QueryString.Failure) {
            value = try query.value(of: name)
        } catch {
            switch error {
            case .badEscape: return .refused("\(name): bad percent escape")
            case .notUTF8: return .refused("\(name): not UTF-8")
            }
        }
        guard takesTokens else {
            guard let value else { return .none }
            guard let userId = UserID(person: value) else { return .refused("userId: \(UserID.rule)") }
            return .identity(Identity(userId: userId))
        }
        if let value { return .token(value) }
        let scheme = "bearer "
        guard let header = head.headers["authorization"].first, header.lowercased().hasPrefix(scheme) else {
            return .none
        }
        return .token(String(header.dropFirst(scheme.count).drop { $0 == " " }))
    }
}

extension HandshakeVerdict {
    fileprivate static func refuse(_ text: String) -> HandshakeVerdict {
        .reply(Reply(status: .badRequest, body: text, refusal: .malformed))
    }

    /// RFC 6455, section 4.4, and RFC 9110, section 15.5.22.
    fileprivate static func upgradeRequired(_ text: String) -> HandshakeVerdict {
        .reply(
            Reply(
                status: .upgradeRequired, headers: [("Sec-WebSocket-Version", "13"), ("Upgrade", "websocket")],
                body: text, refusal: .version))
    }
}

extension HTTPRequestHead {
    fileprivate var announcesBody: Bool {
        headers.contains(name: "transfer-encoding") || headers["content-length"].contains { $0 != "0" }
    }

    /// Whether a header that is a list of words has this one, in whatever case.
    fileprivate func lists(_ word: String, in name: String) -> Bool {
        // Most clients send nothing else there; taking lists apart is slow.
        if let value = headers.first(name: name), value.lowercased() == word { return true }
        return headers[canonicalForm: name].contains { $0.lowercased() == word }
    }
}
