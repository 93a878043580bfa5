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
        try checkHeaders(of: request)
        if request.headers[.expect] != nil {
            channel.triggerUserOutboundEvent(HTTPConnectionHandler.BodyIsWanted(), promise: nil)
        }
        var body: [UInt8] = []
        for try await part in request.body {
            guard body.count + part.readableBytes <= maxBytes else { throw tooLarge }
            body.append(contentsOf: part.readableBytesView)
        }
        guard String(validating: body, as: UTF8.self) != nil else {
            throw Refusal(RequestError(.badRequest, "the body is not UTF-8"))
        }
        return body
    }

    /// Whether the request has announced a body that is not read yet.
    static func announcesBody(_ request: Request) -> Bool {
        if request.headers[.transferEncoding] != nil { return true }
        return request.headers[.contentLength].map { $0 != "0" } ?? false
    }

    private func checkHeaders(of request: Request) throws {
        if let type = request.headers[.contentType], !isJSON(type) {
            throw Refusal.unsupportedMediaType("Content-Type must be application/json")
        }
        if let coding = request.headers[.contentEncoding], coding.lowercased() != "identity" {
            throw Refusal.unsupportedMediaType("Content-Encoding must not be used")
        }
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > maxBytes { throw tooLarge }
    }

    /// `application/json`, in UTF-8 if it names a charset (RFC 9110, section 8.3).
    private func isJSON(_ contentType: String) -> Bool {
        let parts = contentType.lowercased().split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
        return parts.first == "application/json"
            && parts.dropFirst().allSatisfy { $0 == "charset=utf-8" || $0 == #"charset="utf-8""# }
    }

    private var tooLarge: Refusal {
        Refusal(RequestError(.tooLarge, "the body is larger than \(maxBytes) bytes"))
    }
}
