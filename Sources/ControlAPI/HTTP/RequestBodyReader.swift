import GatewayCore
import Hummingbird
import NIOCore

/// Takes in the JSON body of a request, within a bound; its time is bounded by the connection's own rules.
struct RequestBodyReader: Sendable {
    let maxBytes: Int

    /// The whole body, which is UTF-8 but not known to be JSON.
    ///
    /// - Parameter channel: the request's connection: a client that waits to be asked for the body is asked now.
    func read(_ request: Request, on channel: any Channel) async throws -> [UInt8] {
        let fields = BodyFields(request.headers)
        try check(fields)
        if fields.expects {
            channel.triggerUserOutboundEvent(HTTPConnectionHandler.BodyIsWanted(), promise: nil)
        }
        var body: [UInt8] = []
        for try await part in request.body {
            guard body.count + part.readableBytes <= maxBytes else { throw tooLarge }
            body.append(contentsOf: part.readableBytesView)
        }
        return try text(body)
    }

    /// A body that has come as a whole, once it is known to be UTF-8.
    func text(_ body: [UInt8]) throws -> [UInt8] {
        guard (try? UTF8Span(validating: body.span)) != nil else {
            throw Refusal(RequestError(.badRequest, "the body is not UTF-8"))
        }
        return body
    }

    /// Throws where what a head says of its body is reason enough not to read it.
    func check(_ fields: BodyFields) throws {
        if let type = fields.type, !isJSON(type) {
            throw Refusal.unsupportedMediaType("Content-Type must be application/json")
        }
        if let coding = fields.coding, coding.lowercased() != "identity" {
            throw Refusal.unsupportedMediaType("Content-Encoding must not be used")
        }
        if let length = fields.length.flatMap({ Int($0) }), length > maxBytes { throw tooLarge }
    }

    /// `application/json`, in UTF-8 if it names a charset (RFC 9110, section 8.3).
    private func isJSON(_ contentType: String) -> Bool {
        if contentType == "application/json" { return true }
        let parts = contentType.lowercased().split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
        return parts.first == "application/json"
            && parts.dropFirst().allSatisfy { $0 == "charset=utf-8" || $0 == #"charset="utf-8""# }
    }

    var tooLarge: Refusal {
        Refusal(RequestError(.tooLarge, "the body is larger than \(maxBytes) bytes"))
    }
}
