/// One receiver of events.
package struct WebhookReceiver: Hashable, Sendable {
    /// The form in which it is told.
    package enum Form: Hashable, Sendable {
        case native
        /// Pusher's: of the channels of an app, which signs it too; nil: of the first app.
        case pusher(app: String?)
    }

    /// Its name in the store: the same for the same URL on every node.
    package var name: String
    package var url: String
    /// Nil for all.
    package var types: Set<String>?
    package var form = Form.native

    package init(name: String, url: String, types: Set<String>?) {
        self.name = name
        self.url = url
        self.types = types
    }

    /// The URL without user information and query, which may hold secrets.
    package var shownURL: String {
        let plain = url.prefix { $0 != "?" }
        guard let slashes = plain.firstRange(of: "://") else { return String(plain) }
        let rest = plain[slashes.upperBound...]
        let end = rest.firstIndex(of: "/") ?? rest.endIndex
        let place = rest[..<end].split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        return "\(plain[..<slashes.upperBound])\(place)\(rest[end...])"
    }

    /// Whether an event is for this receiver. That something was lost is for every one.
    package func wants(_ event: LedgerEvent) -> Bool {
        if let types { return types.contains(event.type) || event.type == EventType.lost }
        return EventType(rawValue: event.type).map { !EventType.ofApps.contains($0) } ?? true
    }
}

/// A directory of the receivers of events and how they fare, read from the store: the same answer on every node.
package protocol WebhookDirectory: Sendable {
    /// One for each configured receiver, in the order of the configuration.
    func webhooks() async throws(BackendError) -> [WebhookStatus]

    /// Has events sent again, with the ids they had, before what is new; the answer says to how many receivers.
    func replay(_ order: ReplayOrder) async throws(BackendError) -> Int
}

/// The status of one receiver, over all partitions.
package struct WebhookStatus: Hashable, Sendable {
    /// One moment and what was said then, in milliseconds since 1970 by the store's clock.
    package struct Problem: Hashable, Sendable {
        package var timestamp: Int64
        package var message: String

        package init(timestamp: Int64, message: String) {
            self.timestamp = timestamp
            self.message = message
        }
    }

    package var receiver: WebhookReceiver
    /// Events it has not taken yet.
    package var lag = 0
    /// When the oldest of them happened.
    package var oldest: Int64?
    /// Events given up and kept as dead letters.
    package var deadLetters = 0
    /// Events given up so far, kept or not.
    package var givenUp = 0
    /// Events that the ledger could not keep for it.
    package var lost = 0
    /// Partitions in which events are being sent again.
    package var replaying = 0
    package var lastSent: Int64?
    package var lastError: Problem?

    package init(receiver: WebhookReceiver) {
        self.receiver = receiver
    }
}

/// The order to send events again.
package struct ReplayOrder: Hashable, Sendable {
    /// The place where a replay begins.
    package enum Start: Hashable, Sendable {
        /// Milliseconds since 1970 by the store's clock.
        case time(Int64)
        /// An event's id: from this event on, and in other partitions from its time on.
        case event(String)
    }

    package var start: Start
    /// Nil for all.
    package var types: Set<String>?
    /// One receiver's URL, whole or as it is shown; nil for all.
    package var url: String?

    package init(start: Start, types: Set<String>? = nil, url: String? = nil) {
        self.start = start
        self.types = types
        self.url = url
    }
}
