/// The codes that `error` frames and REST errors share.
package enum ErrorCode: String, Sendable, CaseIterable {
    case badRequest = "bad_request"
    case unauthorized
    case forbidden
    case notFound = "not_found"
    /// What only members may do, in a room that was not joined.
    case notMember = "not_member"
    case rateLimited = "rate_limited"
    case conflict
    /// A change that has to say which version it is made on, and does not.
    case versionRequired = "version_required"
    case tooLarge = "too_large"
    /// Asked for under a host that this port is not for.
    case misdirected
    case unavailable
}

/// A request that failed, told to whoever made it; the text holds no tokens, keys, payloads or Redis replies.
package struct RequestError: Error, Hashable, Sendable {
    package var code: ErrorCode
    package var message: String
    /// With `rateLimited`: how long to wait before the same is asked again.
    package var retryAfterMilliseconds: Int?

    package init(_ code: ErrorCode, _ message: String, retryAfterMilliseconds: Int? = nil) {
        self.code = code
        self.message = message
        self.retryAfterMilliseconds = retryAfterMilliseconds
    }
}
