/// The files that make up the console; each but the document goes by its name in the address.
enum ConsolePage: String, Hashable, Sendable, CaseIterable {
    case document = "console.html"
    case style = "console.css"
    case console = "console.js"
    case connection = "connection.js"
    /// The client library, the very file that the client port serves.
    case library = "martlet.js"
    case members = "members.js"
    case parts = "parts.js"
    case rest = "rest.js"
    case spenders = "spenders.js"
    case users = "users.js"

    var bytes: [UInt8] {
        switch self {
        case .document: PackageResources.console_html
        case .style: PackageResources.console_css
        case .console: PackageResources.console_js
        case .connection: PackageResources.connection_js
        case .library: PackageResources.martlet_js
        case .members: PackageResources.members_js
        case .parts: PackageResources.parts_js
        case .rest: PackageResources.rest_js
        case .spenders: PackageResources.spenders_js
        case .users: PackageResources.users_js
        }
    }

    var contentType: String {
        switch self {
        case .document: "text/html; charset=utf-8"
        case .style: "text/css; charset=utf-8"
        case .console, .connection, .library, .members, .parts, .rest, .spenders, .users:
            "text/javascript; charset=utf-8"
        }
    }
}
