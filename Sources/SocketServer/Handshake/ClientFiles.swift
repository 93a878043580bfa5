import NIOHTTP1

/// The files of the browser's client library that a node serves, each compressed once.
struct ClientFiles: Sendable {
    private static let files: [Substring: ClientFile] = [
        "/martlet.js": ClientFile("text/javascript", PackageResources.martlet_js),
        "/martlet.d.ts": ClientFile("text/plain", PackageResources.martlet_d_ts),
        "/martlet.min.js": ClientFile("text/javascript", PackageResources.martlet_min_js),
        "/martlet.min.js.map": ClientFile("application/json", PackageResources.martlet_min_js_map),
    ]

    /// The path under which the script never changes.
    private let pinned: String

    /// - Parameter version: the node's own.
    init(version: String) {
        pinned = "/martlet-\(version).min.js"
        // At the start, so that nobody's request waits for the compression.
        _ = ClientFiles.files
    }

    /// What a GET of this path is answered; nil for every path but those of the files.
    func reply(at path: Substring, to request: HTTPHeaders) -> HandshakeVerdict.Reply? {
        if path == pinned {
            return ClientFiles.files["/martlet.min.js"]?
                .reply(to: request, caching: "public, max-age=31536000, immutable")
        }
        return ClientFiles.files[path]?.reply(to: request, caching: "public, max-age=300")
    }
}
