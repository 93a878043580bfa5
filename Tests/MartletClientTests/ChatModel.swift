import MartletClient
import Observation

/// All that an app shows of one room.
@MainActor @Observable final class ChatModel {
    struct Line: Codable, Sendable { var text: String }

    private(set) var lines: [(message: MartletClient.Message, line: Line)] = []
    private(set) var members: [String] = []
    private(set) var isConnected = false
    @ObservationIgnored private let client: MartletClient
    @ObservationIgnored private let room: MartletClient.Room

    init(client: MartletClient, room id: String) throws {
        self.client = client
        room = try client.room(id)
    }

    /// For as long as the view is there: `.task { await model.run() }`.
    func run() async {
        async let connection: Void = followConnection()
        async let lines: Void = followLines()
        for await members in room.members { self.members = members.map(\.userId) }
        _ = await (connection, lines)
    }

    func send(_ text: String) async throws {
        try await room.publish(encoding: Line(text: text))
    }

    private func followConnection() async {
        let events = client.events
        isConnected = (try? await client.connect()) != nil
        for await event in events {
            if case .connected = event { isConnected = true }
            if case .disconnected = event { isConnected = false }
        }
    }

    private func followLines() async {
        // First, so that nothing falls between the history and what comes.
        let coming = room.messages(as: Line.self)
        await load()
        for await item in coming {
            switch item {
            case .value(let line, let message) where message.seq > lines.last?.message.seq ?? 0:
                lines.append((message, line))
            case .value, .unreadable: break
            case .gap: await load()
            }
        }
    }

    private func load() async {
        guard let page = try? await room.history(limit: 100) else { return }
        lines = page.messages.compactMap { message in
            (try? message.decode(Line.self)).map { (message, $0) }
        }
    }
}
