import GatewayCore

/// Credentials for TURN servers, in frames and in REST.
extension NativeDialect {
    /// The fields `urls` to `ttl`, and the closing brace.
    package func appendFields(of credentials: TurnCredentials, into bytes: inout [UInt8]) {
        JSONWriter.append(#""urls":["#, to: &bytes)
        for (index, url) in credentials.urls.enumerated() {
            if index > 0 { JSONWriter.append(",", to: &bytes) }
            JSONWriter.append(string: url, to: &bytes)
        }
        JSONWriter.append(#"],"username":"#, to: &bytes)
        JSONWriter.append(string: credentials.username, to: &bytes)
        JSONWriter.append(#","credential":"#, to: &bytes)
        JSONWriter.append(string: credentials.credential, to: &bytes)
        JSONWriter.append(#","ttl":"#, to: &bytes)
        JSONWriter.append(integer: credentials.seconds, to: &bytes)
        JSONWriter.append("}", to: &bytes)
    }
}

extension EventFields {
    func turnCredentials() throws(UnreadableEvent) -> TurnCredentials {
        guard let elements = try value("urls").elements() else { throw .malformed("urls: must be an array") }
        var urls: [String] = []
        for element in elements {
            guard let url = element.string?.text else { throw .malformed("urls: must be strings") }
            urls.append(url)
        }
        return TurnCredentials(
            urls: urls, username: try text("username"), credential: try text("credential"), seconds: try integer("ttl"))
    }
}
