// Programs that use MartletClient alone have no hashes.
#if Node
    import Crypto
    import GatewayCore

    /// What an app's backend signs with its secret: HMAC-SHA256, written in hexadecimal digits.
    package enum PusherSignature {
        /// The signature of a text.
        package static func sign(_ text: some Sequence<UInt8>, secret: String) -> String {
            let key = SymmetricKey(data: Array(secret.utf8))
            return HexDigits.text(HMAC<SHA256>.authenticationCode(for: Array(text), using: key))
        }

        /// Whether a signature is that of the text by one of the secrets; how long it takes says nothing of how near it is.
        package static func isValid(_ signature: String, of text: some Sequence<UInt8>, secrets: [String]) -> Bool {
            guard signature.utf8.count == 2 * SHA256.byteCount, let code = HexDigits.bytes(signature) else {
                return false
            }
            let text = Array(text)
            // All of them, so that the time does not tell which.
            return secrets.reduce(false) { isValid, secret in
                let key = SymmetricKey(data: Array(secret.utf8))
                return HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: text, using: key) || isValid
            }
        }

        /// Whether `auth`, which is the app's key, a colon and a signature, is for a connection and a channel.
        ///
        /// - Parameters:
        ///   - socketID: of the connection, as it was told.
        ///   - data: `channel_data` as it came, on presence channels.
        package static func admits(
            _ auth: String, socketID: String, channel: String, data: String?, app: PusherApp
        ) -> Bool {
            isValid(auth, of: "\(socketID):\(channel)" + (data.map { ":" + $0 } ?? ""), app)
        }

        /// Whether `auth` says whose the connection is; `userData` as it came.
        package static func signsIn(_ auth: String, socketID: String, userData: String, app: PusherApp) -> Bool {
            isValid(auth, of: "\(socketID)::user::\(userData)", app)
        }

        /// The text that a request to the HTTP API is signed by: all that it asks for but the signature, as it arrived.
        ///
        /// - Parameters:
        ///   - path: as in the request's target, without what is behind `?`.
        ///   - parameters: those of the query, `auth_signature` among them or not, in any order.
        package static func text(
            method: String, path: String, parameters: [(name: String, value: String)]
        ) -> String {
            let signed = parameters.filter { $0.name != "auth_signature" }
                .map { (key: $0.name.lowercased(), text: "\($0.name.lowercased())=\($0.value)") }
            let query = signed.sorted { Array($0.key.utf8).lexicographicallyPrecedes(Array($1.key.utf8)) }
            return "\(method)\n\(path)\n" + query.map(\.text).joined(separator: "&")
        }

        private static func isValid(_ auth: String, of text: String, _ app: PusherApp) -> Bool {
            guard auth.utf8.count == app.key.utf8.count + 1 + 2 * SHA256.byteCount, auth.hasPrefix(app.key + ":")
            else { return false }
            let signature = String(auth.dropFirst(app.key.count + 1))
            return isValid(signature, of: text.utf8, secrets: app.secrets)
        }
    }
#endif
