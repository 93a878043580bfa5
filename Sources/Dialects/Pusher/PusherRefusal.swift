import GatewayCore

/// The reason why a client of an app is not let in: the protocol's own code and words.
package struct PusherRefusal: Error, Hashable, Sendable {
    package let code: UInt16
    package let message: String

    package static let unknownApp = PusherRefusal(code: 4001, message: "Application does not exist")
    package static let overQuota = PusherRefusal(code: 4004, message: "Application is over connection quota")
    package static let unreadableVersion = PusherRefusal(code: 4006, message: "Invalid version string format")
    package static let unknownVersion = PusherRefusal(code: 4007, message: "Unsupported protocol version")
    package static let noVersion = PusherRefusal(code: 4008, message: "No protocol version supplied")
    package static let foreignOrigin = PusherRefusal(code: 4009, message: "This origin is not let in")

    static let all = [
        unknownApp, overQuota, unreadableVersion, unknownVersion, noVersion, foreignOrigin,
    ]

    /// The frame that tells it, before the connection is closed with the code.
    package var text: [UInt8] { PusherRefusal.text(code: code, message: message) }

    static func text(code: UInt16?, message: String) -> [UInt8] {
        var bytes: [UInt8] = []
        JSONWriter.append(#"{"event":"pusher:error","data":{"code":"#, to: &bytes)
        if let code { JSONWriter.append(integer: code, to: &bytes) } else { JSONWriter.append("null", to: &bytes) }
        JSONWriter.append(#","message":"#, to: &bytes)
        JSONWriter.append(string: message, to: &bytes)
        JSONWriter.append("}}", to: &bytes)
        return bytes
    }
}

extension PusherApps {
    /// Versions of the protocol that are spoken; those before are dead, and what came in between lets nobody speak otherwise.
    private static let versions = 5...7

    /// The app that a client wants, or why it is not let in.
    ///
    /// - Parameters:
    ///   - key: as the path names it.
    ///   - version: `protocol` of the query; nil where it is not there.
    ///   - origins: the page's, as its browser says it; none where it is no browser.
    package func door(
        key: String, version: String?, origins: [String]
    ) -> (app: PusherApp?, refusal: PusherRefusal?) {
        guard let app = app(withKey: key) else { return (nil, .unknownApp) }
        guard let version else { return (app, .noVersion) }
        guard let number = Int(version) else { return (app, .unreadableVersion) }
        guard PusherApps.versions.contains(number) else { return (app, .unknownVersion) }
        if let allowed = app.origins, !origins.allSatisfy(OriginRule(allowed).letsIn) { return (app, .foreignOrigin) }
        return (app, nil)
    }
}
