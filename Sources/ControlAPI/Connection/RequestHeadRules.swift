import GatewayCore
import NIOHTTP1

/// A request that nobody is to see: what it is answered, and that is the last on its connection.
package struct HeadRefusal: Hashable, Sendable {
    package var status: HTTPResponseStatus
    package var error: RequestError
    /// `Retry-After`, in seconds.
    package var retryAfter: Int?

    package init(_ status: HTTPResponseStatus, _ error: RequestError, retryAfter: Int? = nil) {
        self.status = status
        self.error = error
        self.retryAfter = retryAfter
    }

    /// What cannot be read as HTTP.
    package static let unreadable = HeadRefusal(.badRequest, RequestError(.badRequest, "the request cannot be read"))

    /// More than ``HeadBounds`` allow (RFC 6585, section 5).
    package static let tooLong = HeadRefusal(
        .requestHeaderFieldsTooLarge,
        RequestError(
            .tooLarge,
            """
            the request's head is too long: \(HeadBounds.fieldBytes) bytes for its target and for each field, \
            \(HeadBounds.bytes) bytes and \(HeadBounds.fields) fields in all
            """))

    /// What a request is refused for that HTTP's reader cannot take.
    package static func garbage(_ error: any Error) -> HeadRefusal {
        error as? HTTPParserError == .headerOverflow ? .tooLong : .unreadable
    }

    /// The client has shown no certificate.
    package static let uncertified = HeadRefusal(
        .forbidden,
        RequestError(.forbidden, "this port takes a client certificate, but for /healthz, /readyz, /metrics"))

    /// As many requests as the port serves at once are under way.
    package static let busy = HeadRefusal(
        .serviceUnavailable, RequestError(.unavailable, "too many requests are under way; try again"), retryAfter: 1)
}

/// The length that a request's head may have.
enum HeadBounds {
    static let fieldBytes = 8192
    static let bytes = 16384
    static let fields = 100
}

/// The rules for a request's head before anything is done for it.
package struct RequestHeadRules: Sendable {
    private let fence: LoopbackFence
    private let needsClientCertificate: Bool

    /// - Parameter needsClientCertificate: whether all but the probes takes a client's certificate.
    package init(fence: LoopbackFence, needsClientCertificate: Bool = false) {
        self.fence = fence
        self.needsClientCertificate = needsClientCertificate
    }

    /// Whether only a client with a certificate may ask this: anything but a probe in the form that leaves no doubt.
    package func isForCertified(_ head: HTTPRequestHead) -> Bool {
        needsClientCertificate && !(head.uri.hasPrefix("/") && head.isProbe)
    }

    /// Why the head is refused (RFC 9112, section 3.2; RFC 9110, section 10.1.1); nil where it is in order.
    ///
    /// - Parameter servedHost: what `servedHost(of:)` says of a head on the same connection that was in order: the same
    ///   host is not looked at again.
    package func refusal(of head: HTTPRequestHead, servedHost: String? = nil) -> HeadRefusal? {
        let isServed = self.servedHost(of: head).map { host in servedHost?.utf8.elementsEqual(host.utf8) ?? false }
        if isServed != true, let refusal = refusal(ofHostIn: head) { return refusal }
        guard !HeadFields(head.headers).isDisjoint(with: [.transferCoding, .expect]) else { return nil }
        // What is behind another coding could not be read (RFC 9112, section 6.1).
        guard head.headers.values(of: "transfer-encoding").allSatisfy({ $0.lowercased() == "chunked" }) else {
            return HeadRefusal(
                .notImplemented, RequestError(.badRequest, "Transfer-Encoding: only chunked can be read"))
        }
        let expectations = head.headers.values(of: "expect").filter { !$0.isEmpty }
        guard expectations.allSatisfy({ $0.lowercased() == "100-continue" }) else {
            return HeadRefusal(.expectationFailed, RequestError(.badRequest, "Expect: only 100-continue can be met"))
        }
        return nil
    }

    /// The one `Host` of a head whose target names none itself, as it is written; nil for any other head.
    package func servedHost(of head: HTTPRequestHead) -> String? {
        guard head.uri.utf8.first == UInt8(ascii: "/") else { return nil }
        var host: String?
        for (name, value) in head.headers where HTTPHeaders.isSame(name, "host") {
            guard host == nil else { return nil }
            host = value
        }
        return host
    }

    private func refusal(ofHostIn head: HTTPRequestHead) -> HeadRefusal? {
        let hosts = head.headers["host"]
        guard hosts.count <= 1 else { return malformed("Host: given more than once") }
        if let host = hosts.first?[...].withoutOuterBlanks {
            // It is empty where the target has no host, as `*` has none.
            guard host.isEmpty || HostName(host) != nil else {
                return malformed("Host: not a host with, or without, a port")
            }
        } else if head.version != .http1_0 {
            return malformed("Host: missing, and HTTP/1.1 needs it")
        }
        guard fence.serves(head.authority) else {
            return HeadRefusal(
                .misdirectedRequest,
                RequestError(
                    .misdirected,
                    """
                    this port has a key that anybody could guess and answers loopback hosts alone: ask for 127.0.0.1 \
                    or localhost, or set a real api.key
                    """))
        }
        return nil
    }

    private func malformed(_ message: String) -> HeadRefusal {
        HeadRefusal(.badRequest, RequestError(.badRequest, message))
    }
}

extension HTTPHeaders {
    /// Whether a field that is a list of words has this one, in whatever case.
    func lists(_ word: String, in name: String) -> Bool {
        values(of: name).contains { $0.lowercased() == word }
    }

    /// The words of a field that is a list of them; most heads have none of those that are asked for.
    func values(of name: String) -> [Substring] {
        contains(name: name) ? self[canonicalForm: name] : []
    }
}

extension HTTPRequestHead {
    /// Whether another request may follow on the connection (RFC 9112, section 9.3).
    ///
    /// None does behind a framing that others might read differently (section 6.1), nor behind the offer of another
    /// protocol, where the parser stops.
    package var persists: Bool {
        let fields = HeadFields(headers)
        if version == .http1_1, method != .CONNECT, fields.isDisjoint(with: [.connection, .transferCoding]) {
            return true
        }
        if headers.lists("close", in: "connection") || method == .CONNECT { return false }
        if headers.lists("upgrade", in: "connection"), headers.contains(name: "upgrade") { return false }
        if headers.contains(name: "transfer-encoding"), version == .http1_0 || headers.contains(name: "content-length")
        {
            return false
        }
        return version != .http1_0 || headers.lists("keep-alive", in: "connection")
    }

    package var announcesBody: Bool {
        headers.contains(name: "transfer-encoding") || headers["content-length"].contains { $0 != "0" }
    }

    package var expectsContinue: Bool { headers.lists("100-continue", in: "expect") }

    /// Who the request is for: the host of the target where that is in absolute form (RFC 9112, section 3.2.2), else
    /// `Host`.
    package var authority: String? {
        guard let target = absoluteTarget else {
            return headers.first(name: "host").map { String($0[...].withoutOuterBlanks) }
        }
        let authority = target.prefix { !"/?#".contains($0) }
        return String(authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority)
    }

    /// Whether it only asks how the node fares: such requests are served when nothing else is.
    package var isProbe: Bool {
        // Most requests are calls: the look at the rest of the target is spared them.
        if uri.hasPrefix("/v1/") { return false }
        let target = absoluteTarget.map { $0.drop { !"/?#".contains($0) } } ?? Substring(uri)
        let path = target.utf8.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
        return HTTPRequestHead.probes.contains { path.elementsEqual($0.utf8) }
    }

    private static let probes = ["/healthz", "/readyz", "/metrics"]

    /// What stands behind the scheme; nil where the target is not in absolute form.
    private var absoluteTarget: Substring? {
        guard !uri.hasPrefix("/"), let scheme = uri.firstRange(of: "://") else { return nil }
        return uri[scheme.upperBound...]
    }
}
