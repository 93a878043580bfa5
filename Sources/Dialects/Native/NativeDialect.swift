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
