import GatewayCore

/// Martlet's own wire protocol: one JSON object in a text frame, `payload` carried byte for byte.
///
/// It holds nothing: `decode` and `encode` are the gateway's side, `decodeEvent` and `encode(_:into:)` of a request
/// the client's. All may be called from any thread.
package struct NativeDialect: Sendable {
    /// What a client names in `Sec-WebSocket-Protocol`.
    package static let subprotocol = "martlet.v1"

    package init() {}
}

extension NativeDialect: Dialect {
    package func read(_ frame: UnsafeRawBufferPointer) -> Heard {
        switch decode(frame) {
        case .success(let request): .request(request)
        case .failure(let malformed): .malformed(malformed)
        }
    }

    package func write(_ event: ServerEvent, _ text: ([UInt8]) -> Void) {
        var bytes: [UInt8] = []
        encode(event, into: &bytes)
        text(bytes)
    }

    package var tellsCounts: Bool { false }
    package func farewell(_ reason: CloseReason) -> UInt16 { reason.code }
    package func lastWords(_ code: UInt16, _ text: String) -> [UInt8]? { nil }
}
