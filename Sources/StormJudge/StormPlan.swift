/// Who is in which room in a storm, what is published where, and under which names, so that no two storms meet and none
/// meets what a deployment has of its own.
package struct StormPlan: Sendable {
    /// A storm that would prove nothing, or not end well.
    package struct Refusal: Error, CustomStringConvertible {
        package let description: String
    }

    package let clients: Int
    package let rooms: Int
    /// Messages a second, to the rooms in turn.
    package let rate: Int
    package let seconds: Int
    /// In every name.
    package let run: String

    /// So many rooms a client is in, where there are as many.
    private static let roomsEach = 3
    /// Of whom a client watches so many.
    private static let watchedEach = 5
    /// What is kept of each delivery until the end is eight bytes.
    private static let maxDeliveries = 50_000_000

    package init(clients: Int, rooms: Int, rate: Int, seconds: Int, run: String) throws(Refusal) {
        func check(_ option: String, _ value: Int, _ range: ClosedRange<Int>) throws(Refusal) {
            guard !range.contains(value) else { return }
            throw Refusal(description: "\(option) takes \(range.lowerBound) to \(range.upperBound)")
        }
        try check("--clients", clients, 2...5_000)
        try check("--rooms", rooms, 1...1_000)
        try check("--rate", rate, 1...5_000)
        try check("--seconds", seconds, 1...86_400)
        guard rooms <= clients else { throw Refusal(description: "--rooms takes no more than there are clients") }
        guard rate >= 2 * rooms else {
            throw Refusal(
                description: "--rate takes twice as many as there are rooms, or more: who hears little cannot be missed"
            )
        }
        self.clients = clients
        self.rooms = rooms
        self.rate = rate
        self.seconds = seconds
        self.run = run
        guard expectedDeliveries <= StormPlan.maxDeliveries else {
            throw Refusal(
                description: "\(expectedDeliveries) deliveries are more than can be judged, \(StormPlan.maxDeliveries)")
        }
    }

    package func user(_ client: Int) -> String { "storm-\(run)-\(client)" }
    package func room(_ number: Int) -> String { "storm-\(run)-\(number)" }
    package func idempotencyKey(_ message: Int) -> String { "storm-\(run)-\(message)" }

    package var users: [String] { (0..<clients).map(user) }
    package var roomNames: [String] { (0..<rooms).map(room) }

    /// The rooms that a client is in, by their numbers.
    package func rooms(of client: Int) -> [Int] { (0..<min(StormPlan.roomsEach, rooms)).map { (client + $0) % rooms } }

    /// Who is in a room.
    package func members(of room: Int) -> Set<String> {
        Set((0..<clients).filter { rooms(of: $0).contains(room) }.map(user))
    }

    /// Whom a client watches.
    package func watched(by client: Int) -> [String] {
        (1...min(StormPlan.watchedEach, clients - 1)).map { user((client + $0) % clients) }
    }

    package var messages: Int { rate * seconds }

    /// The room that a message goes to.
    package func room(of message: Int) -> Int { message % rooms }

    private var expectedDeliveries: Int {
        messages.multipliedReportingOverflow(by: clients * min(StormPlan.roomsEach, rooms)).partialValue / rooms
    }
}

/// A port of a gateway that is stormed, as it was written.
package struct StormPlace: Sendable, Hashable {
    /// Without a path.
    package let url: String
    package let isLoopback: Bool

    /// Reads `host:port`, or the same behind one of two schemes, the plain one first, which is meant where none is written;
    /// nil for anything else.
    package init?(_ text: String, plain: String, secure: String) {
        let schemes = ["\(plain)://", "\(secure)://"]
        let scheme = schemes.first { text.hasPrefix($0) }
        var rest = text.dropFirst(scheme?.count ?? 0)
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard !rest.isEmpty, rest.utf8.allSatisfy({ (0x21...0x7e).contains($0) }),
            !rest.contains(where: { "/@?#".contains($0) })
        else { return nil }
        let end = rest.first == "[" ? rest.firstIndex(of: "]") : rest.startIndex
        guard let end else { return nil }
        var host = rest
        if let colon = rest[end...].firstIndex(of: ":") {
            guard let port = UInt16(rest[rest.index(after: colon)...]), port > 0 else { return nil }
            host = rest[..<colon]
        } else if scheme == nil {
            return nil
        }
        guard !host.isEmpty else { return nil }
        url = (scheme ?? schemes[0]) + rest
        isLoopback = StormPlace.isLoopback(String(host))
    }

    private static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host.hasSuffix(".localhost") || host == "[::1]" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
