import NIOHTTP1

/// The fields of a hot route's head that count there, each looked at once.
struct HotFields {
    private(set) var body = BodyFields()
    /// The one there is; nil where there are several as well.
    var authorization: String? { authorizations == 1 ? lastAuthorization : nil }
    /// As above: two of them are none.
    var traceparent: String? { traceparents == 1 ? lastTraceparent : nil }

    private var lastAuthorization: String?
    private var authorizations = 0
    private var lastTraceparent: String?
    private var traceparents = 0

    init(_ headers: HTTPHeaders) {
        for (name, value) in headers {
            switch name.utf8.count {
            case 11 where HTTPHeaders.isSame(name, "traceparent"):
                lastTraceparent = value
                traceparents += 1
            case 13 where HTTPHeaders.isSame(name, "authorization"):
                lastAuthorization = value
                authorizations += 1
            case _: body.add(name, value)
            }
        }
    }
}
