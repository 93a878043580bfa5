import Dialects
import GatewayCore
import Hummingbird

extension Response {
    /// An answer in JSON.
    static func json(_ body: [UInt8], status: HTTPResponse.Status = .ok) -> Response {
        Response(status: status, contentType: "application/json", bytes: body)
    }

    /// An answer of any kind; nothing that this port says is to be kept by caches on the way.
    init(status: HTTPResponse.Status = .ok, contentType: String, bytes: [UInt8]) {
        self.init(
            status: status,
            headers: [
                .contentType: contentType, .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
            ],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// - Parameter isText: whether it is the bare message, and no JSON.
    init(_ refusal: Refusal, isText: Bool = false) {
        self =
            isText
            ? Response(
                status: refusal.status, contentType: "text/plain; charset=utf-8",
                bytes: Array("\(refusal.error.message)\n".utf8))
            : .json(refusal.body, status: refusal.status)
        for field in refusal.headers { headers[field.name] = field.value }
    }
}

extension JSONWriter {
    /// `{"error":{"code":"…","message":"…"}}`: the body of an answer that is an error.
    ///
    /// - Parameter version: stands behind the message.
    static func body(of error: RequestError, version: Int64? = nil) -> [UInt8] {
        var body: [UInt8] = []
        append(#"{"error":"#, to: &body)
        append(error: error, to: &body)
        if let version {
            body.removeLast()
            append(#","version":"#, to: &body)
            append(integer: version, to: &body)
            append("}", to: &body)
        }
        append("}", to: &body)
        return body
    }

    /// `{"code":"…","message":"…"}`, as REST errors hold it.
    static func append(error: RequestError, to bytes: inout [UInt8]) {
        append(#"{"code":"#, to: &bytes)
        append(string: error.code.rawValue, to: &bytes)
        append(#","message":"#, to: &bytes)
        append(string: error.message, to: &bytes)
        append("}", to: &bytes)
    }
}
