import GatewayCore

/// `?limit=&cursor=`, as every list takes them.
struct PageQuery: Sendable {
    /// 1 to 1,000 entries; 100 where nothing is said.
    let limit: Int
    /// What an earlier page gave as `next`.
    let cursor: String?

    init(target: RequestTarget) throws(RequestError) {
        limit = try target.integer("limit", in: 1...1000) ?? 100
        cursor = try target.value("cursor")
    }
}
