/// The files that make up the console; each but the documents goes by its name in the address.
enum ConsolePage: String, Hashable, Sendable, CaseIterable {
    case document = "console.html"
    case style = "console.css"
    case address = "address.js"
    /// A call between browsers, a page of its own.
    case call = "call.html"
    case callScript = "call.js"
    case callStyle = "call.css"
    case composer = "composer.js"
    case connection = "connection.js"
    case console = "console.js"
    case governed = "governed.js"
    case history = "history.js"
    /// The client library, the very file that the client port serves.
    case library = "martlet.js"
    case log = "log.js"
    case members = "members.js"
    case messages = "messages.js"
    case nodes = "nodes.js"
    case parts = "parts.js"
    case payload = "payload.js"
    case peer = "peer.js"
    case picture = "picture.js"
    case rest = "rest.js"
    case spenders = "spenders.js"
    case story = "story.js"
    case tabs = "tabs.js"
    case texts = "texts.js"
    case users = "users.js"
    case watch = "watch.js"

    var bytes: [UInt8] {
        switch self {
        case .document: PackageResources.console_html
        case .style: PackageResources.console_css
        case .address: PackageResources.address_js
        case .call: PackageResources.call_html
        case .callScript: PackageResources.call_js
        case .callStyle: PackageResources.call_css
        case .composer: PackageResources.composer_js
        case .connection: PackageResources.connection_js
        case .console: PackageResources.console_js
        case .governed: PackageResources.governed_js
        case .history: PackageResources.history_js
        case .library: PackageResources.martlet_js
        case .log: PackageResources.log_js
        case .members: PackageResources.members_js
        case .messages: PackageResources.messages_js
        case .nodes: PackageResources.nodes_js
        case .parts: PackageResources.parts_js
        case .payload: PackageResources.payload_js
        case .peer: PackageResources.peer_js
        case .picture: PackageResources.picture_js
        case .rest: PackageResources.rest_js
        case .spenders: PackageResources.spenders_js
        case .story: PackageResources.story_js
        case .tabs: PackageResources.tabs_js
        case .texts: PackageResources.texts_js
        case .users: PackageResources.users_js
        case .watch: PackageResources.watch_js
        }
    }

    var contentType: String {
        switch self {
        case .document, .call: "text/html; charset=utf-8"
        case .style, .callStyle: "text/css; charset=utf-8"
        case .address, .callScript, .composer, .connection, .console, .governed, .history, .library, .log, .members,
            .messages, .nodes, .parts, .payload, .peer, .picture, .rest, .spenders, .story, .tabs, .texts, .users,
            .watch:
            "text/javascript; charset=utf-8"
        }
    }
}
