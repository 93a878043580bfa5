/// Text that was given as a secret and can be read by everybody.
enum PublicKeyText {
    /// What it is, worded to follow the name of the setting; nil where it may be a secret.
    static func problem(with text: String) -> String? {
        isOne(text)
            ? "is a public key, a certificate or a set of keys, with which whoever reads it could sign; "
                + "for tokens, auth.keyFile and auth.jwks take those"
            : nil
    }

    private static func isOne(_ text: String) -> Bool {
        if ["PUBLIC KEY-----", "CERTIFICATE-----", "\"kty\""].contains(where: text.contains) { return true }
        // A list of secrets is parted at its commas: so is a key set in JSON, of which the first part is told by these.
        let bare = text.filter { !$0.isWhitespace }
        if ["{\"keys\"", "{\"kty\"", "ssh-rsaAAAA", "ssh-ed25519AAAA", "ssh-dssAAAA", "ecdsa-sha2-"].contains(
            where: bare.hasPrefix)
        {
            return true
        }
        // As issuers show it: without its first and last line. An error says that it is none.
        return (try? KeySet(pem: "-----BEGIN PUBLIC KEY-----\n\(bare)\n-----END PUBLIC KEY-----\n")) != nil
            || (try? KeySet(pem: "-----BEGIN CERTIFICATE-----\n\(bare)\n-----END CERTIFICATE-----\n")) != nil
    }
}
