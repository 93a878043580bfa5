import Archive
import Dialects
import GatewayCore

/// Hands out what the archive has of a room or of a user, a message at a time, in the rooms' order.
package struct ArchiveExport: Sendable {
    package enum Subject: Sendable {
        case room(String)
        case user(String)
    }

    /// Messages read at once; a message may have 16 MiB.
    private static let part = 50

    private let store: ArchiveStore

    /// Throws ``NodeFailure`` where the settings name no database.
    package init(settings: Settings) throws(NodeFailure) {
        do {
            guard let url = try settings.archiveURL() else {
                throw NodeFailure(
                    "archive.url is missing: it names the archive's database (MARTLET_ARCHIVE_URL)",
                    status: NodeFailure.configuration)
            }
            store = ArchiveStore(url)
        } catch let failure as NodeFailure {
            throw failure
        } catch {
            throw NodeFailure("archive.url: \(error)", status: NodeFailure.configuration)
        }
    }

    /// Calls `body` with each message's line, without its end; answers how many there were.
    package func run(_ subject: Subject, line body: ([UInt8]) throws -> Void) async throws -> Int {
        do {
            try await store.perform { database throws(ArchiveError) in try database.check() }
            switch subject {
            case .room(let room): return try await export(room, of: nil, body)
            case .user(let user):
                var (count, last) = (0, "")
                while true {
                    let rooms = try await store.perform { [last] database throws(ArchiveError) in
                        try database.rooms(after: last, limit: 100)
                    }
                    for room in rooms { count += try await export(room, of: user, body) }
                    guard let end = rooms.last else { return count }
                    last = end
                }
            }
        } catch let error as ArchiveError {
            let status = error.needsOperator ? NodeFailure.configuration : NodeFailure.unavailable
            throw NodeFailure("archive.url: \(error)", status: status)
        }
    }

    private func export(_ room: String, of user: String?, _ body: ([UInt8]) throws -> Void) async throws -> Int {
        var place = ArchiveDatabase.Place(epochNumber: 0, seq: 0)
        var count = 0
        while true {
            let part = try await store.perform { [place] database throws(ArchiveError) in
                if let user {
                    try database.page(of: user, in: room, after: place, limit: ArchiveExport.part)
                } else {
                    try database.page(of: room, after: place, limit: ArchiveExport.part)
                }
            }
            for message in part { try body(ArchiveExport.line(message)) }
            count += part.count
            guard let last = part.last else { return count }
            place = ArchiveDatabase.Place(epochNumber: last.epochNumber, seq: last.seq)
        }
    }

    /// One JSON object, the payload byte for byte as it was sent.
    static func line(_ message: ArchivedMessage) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(message.bytes + 200)
        JSONWriter.append(#"{"roomId":"#, to: &bytes)
        JSONWriter.append(string: message.room, to: &bytes)
        JSONWriter.append(#","epoch":"#, to: &bytes)
        JSONWriter.append(string: message.epoch, to: &bytes)
        JSONWriter.append(#","epochNumber":"#, to: &bytes)
        JSONWriter.append(integer: message.epochNumber, to: &bytes)
        JSONWriter.append(#","seq":"#, to: &bytes)
        JSONWriter.append(integer: message.seq, to: &bytes)
        JSONWriter.append(#","userId":"#, to: &bytes)
        JSONWriter.append(string: message.userId, to: &bytes)
        if let event = message.event {
            JSONWriter.append(#","event":"#, to: &bytes)
            JSONWriter.append(string: event, to: &bytes)
        }
        JSONWriter.append(#","msgType":"#, to: &bytes)
        JSONWriter.append(integer: message.msgType, to: &bytes)
        JSONWriter.append(#","timestamp":"#, to: &bytes)
        JSONWriter.append(integer: message.sentAt, to: &bytes)
        JSONWriter.append(#","payload":"#, to: &bytes)
        if let payload = message.payload {
            bytes += payload
        } else {
            JSONWriter.append(#"null,"redacted":true"#, to: &bytes)
        }
        JSONWriter.append("}", to: &bytes)
        return bytes
    }
}
