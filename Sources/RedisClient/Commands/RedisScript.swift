/// A Lua script that is loaded at each connect and called by its digest.
package struct RedisScript: Sendable {
    /// For logs and error texts.
    package let name: String
    package let source: String
    /// The SHA-1 of the source in lower-case hexadecimal, by which Redis knows it.
    package let digest: String

    package init(name: String, source: String) {
        self.name = name
        self.source = source
        self.digest = SHA1.hexDigest(of: Array(source.utf8))
    }
}
