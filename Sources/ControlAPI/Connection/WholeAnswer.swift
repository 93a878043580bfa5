import NIOCore
import NIOHTTP1

/// An answer in JSON of which all is known before any of it is written (RFC 9112, section 4).
///
/// It has the fields that the library's answers have, in their order.
package struct WholeAnswer {
    private let status: HTTPResponseStatus
    private let body: [UInt8]
    private let fields: [(name: String, value: String)]

    /// - Parameter fields: what else the head says.
    package init(_ status: HTTPResponseStatus, _ body: [UInt8], fields: [(name: String, value: String)] = []) {
        self.status = status
        self.body = body
        self.fields = fields
    }

    /// Writes all of its bytes.
    ///
    /// - Parameter date: as `Date` bears it.
    package func write(
        to bytes: inout ByteBuffer, date: String, persistence: HTTPConnectionRules.Persistence
    ) {
        bytes.reserveCapacity(minimumWritableBytes: body.count + WholeAnswer.usualHeadBytes)
        if status == .ok {
            bytes.writeStaticString("HTTP/1.1 200 OK")
        } else {
            bytes.writeString("HTTP/1.1 \(status.code) \(status.reasonPhrase)")
        }
        bytes.writeStaticString(
            """
            \r\nContent-Type: application/json\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\
            Content-Length: 
            """)
        bytes.writeString(String(body.count))
        bytes.writeStaticString("\r\nDate: ")
        bytes.writeString(date)
        for field in fields { bytes.writeString("\r\n\(field.name): \(field.value)") }
        switch persistence {
        case .usual: break
        case .keptAlive: bytes.writeStaticString("\r\nConnection: keep-alive")
        case .closed: bytes.writeStaticString("\r\nConnection: close")
        }
        bytes.writeStaticString("\r\n\r\n")
        bytes.writeBytes(body)
    }

    private static let usualHeadBytes = 256
}
