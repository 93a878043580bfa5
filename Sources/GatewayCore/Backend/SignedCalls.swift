/// Calls of backends that bear a signature of their own, so that the port for clients may answer them too.
package protocol SignedCalls: Sendable {
    /// Decides on a call by its head: nothing of its body is to be read before, and it must not block.
    func admit(_ head: SignedCallHead) -> SignedCallVerdict
}

/// The head of a call, all of it as it stands in the request.
package struct SignedCallHead: Hashable, Sendable {
    package var method: String
    package var path: String
    /// Without its `?`.
    package var query: String
    /// `Idempotency-Key`; nil where it is not given.
    package var idempotencyKey: String?

    package init(method: String, path: String, query: String, idempotencyKey: String?) {
        self.method = method
        self.path = path
        self.query = query
        self.idempotencyKey = idempotencyKey
    }
}

package enum SignedCallVerdict: Sendable {
    /// There is nothing under this path.
    case absent
    case refused(CallAnswer)
    /// It is signed: with its body, of so many bytes at most, it is answered.
    case admitted(maxBodyBytes: Int, answer: @Sendable ([UInt8]) async -> CallAnswer)
}

/// The answer to a call.
package struct CallAnswer: Hashable, Sendable {
    package var status: Int
    package var contentType: String
    package var body: [UInt8]
    /// `Allow`; nil but for 405.
    package var allow: String?
    /// `Retry-After`; nil but for 429.
    package var retryAfter: String?

    package init(
        status: Int, contentType: String, body: [UInt8], allow: String? = nil, retryAfter: String? = nil
    ) {
        self.status = status
        self.contentType = contentType
        self.body = body
        self.allow = allow
        self.retryAfter = retryAfter
    }
}
