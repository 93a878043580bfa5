import GatewayCore
import NIOCore
import NIOHTTP1

/// A call of a backend that came to the port for clients, with what has come of its body.
struct CallInProgress {
    let answer: @Sendable ([UInt8]) async -> CallAnswer
    let maxBodyBytes: Int
    /// Whether all that is sent is the answer's head.
    let isHead: Bool
    /// Whether the client waits to be asked for the body.
    let expectsContinue: Bool
    private(set) var body: [UInt8] = []

    init(
        maxBodyBytes: Int, isHead: Bool, expectsContinue: Bool,
        answer: @escaping @Sendable ([UInt8]) async -> CallAnswer
    ) {
        self.maxBodyBytes = maxBodyBytes
        self.isHead = isHead
        self.expectsContinue = expectsContinue
        self.answer = answer
    }

    /// False where the body is longer than it may be.
    mutating func receive(_ part: ByteBuffer) -> Bool {
        guard body.count + part.readableBytes <= maxBodyBytes else { return false }
        body.append(contentsOf: part.readableBytesView)
        return true
    }
}

extension HandshakeRules {
    /// The decision on a call of a backend; nil where the path is none of theirs.
    func judgeCall(_ head: HTTPRequestHead, _ headers: HTTPHeaders, _ target: HandshakeTarget) -> HandshakeVerdict? {
        guard let calls, target.path.hasPrefix("/apps/") || target.path.hasPrefix("/users/") else { return nil }
        let call = SignedCallHead(
            method: head.method.rawValue, path: String(target.path), query: String(target.query),
            idempotencyKey: headers.first(name: "idempotency-key"))
        switch calls.admit(call) {
        case .absent: return nil
        case .refused(let answer): return .reply(HandshakeVerdict.Reply(answer))
        case .admitted(let maxBodyBytes, let answer):
            // Said to be too long: it need not come first.
            if let length = headers.first(name: "content-length").flatMap({ Int($0) }), length > maxBodyBytes {
                return .reply(.callTooLarge)
            }
            return .call(
                CallInProgress(
                    maxBodyBytes: maxBodyBytes, isHead: head.method == .HEAD,
                    expectsContinue: headers.contains(name: "expect"), answer: answer))
        }
    }
}

extension HandshakeVerdict.Reply {
    init(_ answer: CallAnswer) {
        var headers = [(name: "Cache-Control", value: "no-store"), (name: "X-Content-Type-Options", value: "nosniff")]
        if let allow = answer.allow { headers.append((name: "Allow", value: allow)) }
        if let seconds = answer.retryAfter { headers.append((name: "Retry-After", value: seconds)) }
        self.init(status: HTTPResponseStatus(statusCode: answer.status), headers: headers, body: "")
        contentType = answer.contentType
        bytes = answer.body
    }

    static let tooManyCalls = HandshakeVerdict.Reply(
        status: .serviceUnavailable, headers: [("Retry-After", "2")], body: "too many calls are under way")
    static let callTooLarge = HandshakeVerdict.Reply(status: .payloadTooLarge, body: "the body is too large")
}
