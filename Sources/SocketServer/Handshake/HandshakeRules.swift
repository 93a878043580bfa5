import Dialects
import GatewayCore
import NIOHTTP1
import WebSocketFrames

/// The decision on the one request that a client connection begins with (RFC 6455, section 4.2).
enum HandshakeVerdict {
    case upgrade(Upgrade)
    case reply(Reply)
    /// A call of a backend, which is answered once its body has come.
    case call(CallInProgress)

    struct Upgrade {
        enum Target {
            /// With those headers that the backend is told of.
            case session(SessionMachine.Credentials, resuming: String?, passed: [Presented.Header])
            /// A client of an app, or what one is told that is not let in.
            case visit(PusherApp?, PusherRefusal?)
            case echo
        }

        let target: Target
        /// Whether the session that the client names is one that was given out.
        var isResuming = false
        /// Whether it names one that nobody gave out.
        var isForging = false
        let acceptKey: String
        /// Nil where the client offered none.
        let subprotocol: String?
        /// Nil where messages go uncompressed.
        let deflate: DeflateAgreement?
    }
}

/// Judges requests by the configuration alone; how full the node is, is asked afterwards.
struct HandshakeRules: Sendable {
    let origins: OriginRule
    let fence: LoopbackFence
    let isEchoing: Bool
    let takesTokens: Bool
    let isCompressing: Bool
    let calls: (any SignedCalls)?
    private let apps: PusherApps
    private let servesSessions: Bool
    private let files: ClientFiles
    private let sessionCheck: SessionCheck
    private let passedHeaders: [String]

    init(_ configuration: SocketServerConfiguration) {
        origins = configuration.origins
        fence = configuration.fence
        isEchoing = configuration.isEchoing
        isCompressing = configuration.isCompressing
        calls = configuration.calls
        apps = configuration.apps
        servesSessions = configuration.servesSessions
        sessionCheck = configuration.sessionCheck
        files = ClientFiles(version: configuration.version)
        passedHeaders = configuration.authorizer?.headerNames ?? []
        takesTokens = configuration.authentication.takesTokens
    }

    func judge(_ head: HTTPRequestHead) -> HandshakeVerdict {
        var verdict = judgeGet(head)
        // Whatever GET is answered, HEAD is told without the body.
        if head.method == .HEAD, case .reply(var reply) = verdict {
            reply.withholdsBody = true
            verdict = .reply(reply)
        }
        return verdict
    }

    private func judgeGet(_ head: HTTPRequestHead) -> HandshakeVerdict {
        guard let headers = head.headers.cleaned else { return .refuse("bad characters in a header") }
        guard let target = HandshakeTarget(head.uri) else { return .refuse("the request's target cannot be read") }
        let (named, hosts) = headers.firstAndCount("host")
        guard hosts == 1 || hosts == 0 && head.version == .http1_0 else {
            return .refuse("one Host header is needed")
        }
        let host = named.flatMap { HostName($0) }
        guard host != nil || named?.isEmpty ?? true else { return .refuse("Host cannot be read") }
        guard fence.serves(named: target.host ?? host) else { return .reply(.misdirected) }
        guard headers[canonicalForm: "expect"].allSatisfy({ $0.lowercased() == "100-continue" }) else {
            return .reply(.expectationFailed)
        }
        if let verdict = judgeCall(head, headers, target) { return verdict }
        let isEcho = target.path == "/echo" && isEchoing
        let key = appKey(in: target.path)
        let isSession = target.path == "/ws" && servesSessions
        let file = isSession || key != nil ? nil : files.reply(at: target.path, to: headers)
        guard isSession || target.path == "/healthz" || isEcho || key != nil || file != nil else {
            return .reply(.notFound)
        }
        guard head.method == .GET || head.method == .HEAD else { return .reply(.methodNotAllowed) }
        guard !headers.announceBody else { return .refuse("a body is not taken here") }
        if let file { return .reply(file) }
        if target.path == "/healthz" { return .reply(HandshakeVerdict.Reply(status: .ok, body: "ok")) }
        guard head.method == .GET else { return .reply(.upgradeRequired("this is a WebSocket")) }
        return judgeUpgrade(head.version, headers, isEcho: isEcho, key: key, query: target.query)
    }

    /// `/app/<key>`, where there are apps.
    private func appKey(in path: Substring) -> String? {
        guard !apps.isEmpty, path.hasPrefix("/app/") else { return nil }
        return String(path.dropFirst(5))
    }

    private func judgeUpgrade(
        _ version: HTTPVersion, _ headers: HTTPHeaders, isEcho: Bool, key appKey: String?, query: Substring
    ) -> HandshakeVerdict {
        guard version == .http1_1 else { return .refuse("HTTP/1.1 is needed") }
        guard headers.list("websocket", in: "upgrade"), headers.list("upgrade", in: "connection") else {
            return .reply(.upgradeRequired("this is a WebSocket"))
        }
        let (spoken, versions) = headers.firstAndCount("sec-websocket-version")
        guard versions <= 1 else { return .refuse("one Sec-WebSocket-Version is needed") }
        guard spoken == "13" else { return .reply(.upgradeRequired("WebSocket version 13 is needed")) }
        let (shown, keys) = headers.firstAndCount("sec-websocket-key")
        guard let key = shown, keys == 1, Handshake.isValidKey(key) else {
            return .refuse("Sec-WebSocket-Key: not 16 bytes in base64")
        }
        let hasOwnOrigins = appKey.flatMap(apps.app(withKey:))?.origins != nil
        guard hasOwnOrigins || headers["origin"].allSatisfy(origins.letsIn) else { return .reply(.foreignOrigin) }
        if let appKey { return visit(appKey, headers, query, acceptKey: Handshake.acceptKey(for: key)) }
        let deflate: DeflateAgreement?
        do throws(DeflateAgreement.MalformedOffers) {
            deflate = try compression(headers, isEcho: isEcho)
        } catch {
            return .refuse("Sec-WebSocket-Extensions cannot be read")
        }
        let acceptKey = Handshake.acceptKey(for: key)
        if isEcho {
            return .upgrade(
                HandshakeVerdict.Upgrade(target: .echo, acceptKey: acceptKey, subprotocol: nil, deflate: deflate))
        }
        let (offered, lines) = headers.firstAndCount("sec-websocket-protocol")
        // Our own client names nothing else; taking lists apart is slow.
        let isPlain = lines == 0 || offered == NativeDialect.subprotocol
        let offers = isPlain ? [] : headers[canonicalForm: "sec-websocket-protocol"]
        let isOffered = offered == NativeDialect.subprotocol || offers.contains { $0 == NativeDialect.subprotocol }
        guard offers.isEmpty || isOffered else {
            return .reply(
                HandshakeVerdict.Reply(
                    status: .badRequest, body: "the subprotocol spoken here is \(NativeDialect.subprotocol)",
                    refusal: .subprotocol))
        }
        let fields = QueryString(query)
        let claim = session(fields)
        return .upgrade(
            HandshakeVerdict.Upgrade(
                target: .session(
                    credentials(headers, fields), resuming: claim.id, passed: passed(headers)),
                isResuming: claim.proof == .genuine, isForging: claim.proof == .invented, acceptKey: acceptKey,
                subprotocol: isOffered ? NativeDialect.subprotocol : nil, deflate: deflate))
    }

    /// Whoever wants an app is answered by frames, also where it is not let in: browsers show nothing else.
    private func visit(
        _ key: String, _ headers: HTTPHeaders, _ query: Substring, acceptKey: String
    ) -> HandshakeVerdict {
        // A version with a bad escape is one that cannot be read.
        let version = (try? QueryString(query).value(of: "protocol")) ?? (query.contains("protocol=") ? "" : nil)
        let door = apps.door(key: key, version: version, origins: headers["origin"])
        return .upgrade(
            HandshakeVerdict.Upgrade(
                target: .visit(door.app, door.refusal), acceptKey: acceptKey, subprotocol: nil, deflate: nil))
    }

    /// A name that cannot be right, or that nobody gave out, is as good as none: a new session begins.
    private func session(_ query: QueryString) -> (id: String?, proof: SessionProof?) {
        guard let session = try? query.value(of: "session"), !session.isEmpty else { return (nil, nil) }
        let proof = sessionCheck(session)
        return (proof == .invented ? nil : session, proof)
    }

    /// What is to be told of these, by the names of the settings; a header that comes twice is one (RFC 9110, section 5.3).
    private func passed(_ headers: HTTPHeaders) -> [Presented.Header] {
        passedHeaders.compactMap { name in
            let values = headers[name]
            guard !values.isEmpty else { return nil }
            // Cookies are parted otherwise (RFC 6265, section 5.4).
            let separator = name.lowercased() == "cookie" ? "; " : ", "
            return Presented.Header(name: name, value: values.joined(separator: separator))
        }
    }

    private func credentials(_ headers: HTTPHeaders, _ query: QueryString) -> SessionMachine.Credentials {
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
        if let value, !value.isEmpty { return .token(value) }
        let scheme = "bearer "
        if let header = headers["authorization"].first, header.lowercased().hasPrefix(scheme) {
            return .token(String(header.dropFirst(scheme.count).drop { $0 == " " }))
        }
        // The name alone, with nothing behind it, is a token that cannot be right.
        return value.map { .token($0) } ?? .none
    }
}

extension HandshakeVerdict {
    fileprivate static func refuse(_ text: String) -> HandshakeVerdict { .reply(.malformed(text)) }
}

extension HTTPHeaders {
    fileprivate var announceBody: Bool {
        contains(name: "transfer-encoding") || self["content-length"].contains { $0 != "0" }
    }

    /// Whether a header that is a list of words has this one, in whatever case.
    fileprivate func list(_ word: String, in name: String) -> Bool {
        // Most clients send nothing else there; taking lists apart is slow.
        if let value = first(name: name), value.lowercased() == word { return true }
        return self[canonicalForm: name].contains { $0.lowercased() == word }
    }
}
