import Dialects
import GatewayCore
import NIOCore
import SocketServer
import Synchronization
import Testing

/// What an app's clients are told of who is in a room, whatever its node has heard of that, and when.
@Suite("Rosters as an app's clients see them", .timeLimit(.minutes(1)))
struct OtherRosterTests {
    private static let app = PusherApp(id: "1", key: "key", secrets: ["secret"])
    private static let room = RoomName(unchecked: "presence-a")

    private func serve(
        bundleAbove: Int = 100, _ body: (TestServer) async throws -> Void
    ) async throws {
        try await TestServer.run {
            $0.apps = PusherApps([OtherRosterTests.app])
            $0.presenceBundleAbove = bundleAbove
            $0.rules.openToVisitors = [RoomPattern("*")].compactMap(\.self)
        } _: { server in
            try await body(server)
        }
    }

    /// A client past its subscription, and who was there.
    private func enter(_ server: TestServer, as user: String) async throws -> (client: TestClient, there: Set<String>) {
        let client = try await server.connect("/app/key?protocol=7")
        let greeting = try await client.text(containing: "connection_established")
        let id = try #require(greeting.firstMatch(of: /\\"socket_id\\":\\"(\d+\.\d+)\\"/)?.1)
        let data = #"{"user_id":"\#(user)"}"#
        let auth = PusherSignature.sign("\(id):presence-a:\(data)".utf8, secret: "secret")
        try await client.send(
            #"{"event":"pusher:subscribe","data":{"channel":"presence-a","auth":"key:\#(auth)","channel_data":"\#(data.replacing("\"", with: "\\\""))"}}"#
        )
        let told = try await client.text(containing: "subscription_succeeded")
        let ids = try #require(told.firstMatch(of: /\\"ids\\":\[([^\]]*)\]/)?.1)
        return (client, Set(ids.matches(of: /\\"(\w+)\\"/).map { String($0.1) }))
    }

    /// The steps that come up to a message, which is sent now: `+bob`.
    private func steps(_ client: TestClient, _ server: TestServer, _ mark: String) async throws -> [String] {
        server.backend.publish(
            Publication(room: Self.room, userId: .system, payload: Array("\"\(mark)\"".utf8))
        ) { _ in }
        var steps: [String] = []
        while true {
            let text = try await client.text()
            if text.contains(#""data":"\#(mark)""#) { return steps }
            steps += step(text)
        }
    }

    private func step(_ text: String) -> [String] {
        guard let user = text.firstMatch(of: /\\"user_id\\":\\"(\w+)\\"/)?.1 else { return [] }
        return [(text.contains("member_added") ? "+" : "-") + user]
    }

    /// The next ones, whenever they come.
    private func steps(_ client: TestClient, _ count: Int) async throws -> [String] {
        var steps: [String] = []
        while steps.count < count { steps += step(try await client.text()) }
        return steps
    }

    private func event(_ word: String) -> RosterEvent {
        let isJoin = word.hasPrefix("+")
        return RosterEvent(
            kind: isJoin ? .join : .leave, userId: UserID(unchecked: String(word.dropFirst())),
            info: isJoin ? Array("{}".utf8) : nil, connection: nil)
    }

    /// A step that the store has, and no hub has heard of.
    private func take(_ word: String, _ backend: InMemoryBackend) {
        let user = UserID(unchecked: String(word.dropFirst()))
        backend.state.withLock { state in
            if word.hasPrefix("+") {
                state.rooms[Self.room]?.connections.append((user.string, user))
            } else {
                state.rooms[Self.room]?.connections.removeAll { $0.user == user }
            }
            state.rooms[Self.room]?.rosterVersion += 1
        }
    }

    /// Each is told by itself, but in one turn.
    private func tell(_ words: String..., from version: Int64, _ backend: InMemoryBackend) {
        let changes = words.enumerated().map { index, word in
            RosterChange(
                room: Self.room, events: [event(word)], members: 1, version: version + Int64(index), timestamp: 1)
        }
        for sink in backend.state.withLock({ $0.sinks }) { sink.receive(changes.map { .presence($0) }) }
    }

    /// The roster has changed unseen.
    private func tellOfLoss(at version: Int64, _ backend: InMemoryBackend) {
        let change = RosterChange(room: Self.room, events: [], members: 1, version: version, timestamp: 1)
        for sink in backend.state.withLock({ $0.sinks }) { sink.receive([.presence(change)]) }
    }

    @Test(arguments: [0, 100])
    func `steps that a newcomer has read are not told again, told one by one or in a bundle`(bundleAbove: Int)
        async throws
    {
        try await serve(bundleAbove: bundleAbove) { server in
            let ann = try await enter(server, as: "ann")
            #expect(ann.there == ["ann"])
            server.backend.state.withLock { $0.beforePage = { take("+bob", server.backend) } }
            let cid = try await enter(server, as: "cid")
            server.backend.state.withLock { $0.beforePage = nil }
            #expect(cid.there == ["ann", "bob", "cid"])
            // The steps come later than the roster that has them.
            tell("+bob", "-bob", "+dan", from: 3, server.backend)
            // A bundle is told a quarter of a second later, and leaves out whoever has come and gone.
            let expected = ["+cid"] + (bundleAbove > 0 ? ["+bob", "-bob"] : []) + ["+dan"]
            #expect(try await steps(ann.client, expected.count) == expected)
            #expect(try await steps(cid.client, 2).sorted() == ["+dan", "-bob"])
            for client in [ann.client, cid.client] { #expect(try await steps(client, server, "end") == []) }
        }
    }

    @Test func `where steps were lost, what has changed is told all the same`() async throws {
        try await serve { server in
            let ann = try await enter(server, as: "ann")
            _ = try await enter(server, as: "bob")
            #expect(try await steps(ann.client, server, "1") == ["+bob"])
            for word in ["+cid", "+dan", "-dan", "-bob"] { take(word, server.backend) }
            tellOfLoss(at: 6, server.backend)
            #expect(try await steps(ann.client, 2).sorted() == ["+cid", "-bob"])
            take("+eve", server.backend)
            tell("+eve", from: 7, server.backend)
            #expect(try await steps(ann.client, server, "3") == ["+eve"])
        }
    }

    @Test func `who may know no longer who is there is out of the channel, and told so`() async throws {
        try await serve { server in
            let ann = try await enter(server, as: "ann")
            let bob = try await enter(server, as: "bob")
            let state = RoomState(
                version: 7, settings: Array(#"{"roles":{"member":["join","publish"]}}"#.utf8),
                roles: [UserID(unchecked: "ann"): RoleName(unchecked: "speaker")])
            server.backend.govern(Self.room, state)
            let out = try await bob.client.text(containing: "pusher:subscription_error")
            #expect(out.contains(#""channel":"presence-a""#) && out.contains("403"), "\(out)")
            #expect(try await steps(ann.client, 2) == ["+bob", "-bob"])
        }
    }

    @Test func `who comes between two readings waits for the second, and is not sent away`() async throws {
        try await serve { server in
            let ann = try await enter(server, as: "ann")
            let pages = Mutex(0)
            server.backend.state.withLock {
                $0.beforePage = {
                    // The newcomer's page has not all that was lost; the next one has, whoever asks for it.
                    let page = pages.withLock { pages in
                        pages += 1
                        return pages
                    }
                    if page == 1 {
                        take("+bob", server.backend)
                        tellOfLoss(at: 4, server.backend)
                    } else if page == 2 {
                        take("+dan", server.backend)
                    }
                }
            }
            let cid = try await enter(server, as: "cid")
            #expect(cid.there == ["ann", "bob", "cid", "dan"])
            #expect(try await steps(ann.client, 3).sorted() == ["+bob", "+cid", "+dan"])
            take("+eve", server.backend)
            tell("+eve", from: 5, server.backend)
            for client in [ann.client, cid.client] { #expect(try await steps(client, server, "end") == ["+eve"]) }
        }
    }

    @Test func `while the store does not answer nothing is told, and all once it does`() async throws {
        try await serve { server in
            let ann = try await enter(server, as: "ann")
            take("+bob", server.backend)
            server.backend.state.withLock { $0.failsPages = true }
            tellOfLoss(at: 2, server.backend)
            #expect(try await steps(ann.client, server, "1") == [])
            server.backend.state.withLock { $0.failsPages = false }
            #expect(try await steps(ann.client, 1) == ["+bob"])
        }
    }
}

/// Counts what it is asked to write.
private final class CountingDialect: Dialect {
    let written = Mutex(0)

    func read(_ frame: UnsafeRawBufferPointer) -> Heard { .nothing }
    var tellsCounts: Bool { false }
    func farewell(_ reason: CloseReason) -> UInt16 { 4200 }
    func lastWords(_ code: UInt16, _ text: String) -> [UInt8]? { nil }

    func write(_ event: ServerEvent, _ text: ([UInt8]) -> Void) {
        guard case .presence(let change) = event else { return }
        for event in change.events {
            written.withLock { $0 += 1 }
            text(Array("\(event.kind.rawValue) \(event.userId)".utf8))
        }
    }
}

@Suite struct WrittenStepsTests {
    private func event(_ kind: RosterEvent.Kind, _ user: String) -> RosterEvent {
        RosterEvent(kind: kind, userId: UserID(unchecked: user), info: nil, connection: nil)
    }

    @Test func `each step is written once, whoever is told which of them`() {
        let dialect = CountingDialect()
        let events = (0..<100).map { event(.join, "u\($0)") }
        let change = RosterChange(
            room: RoomName(unchecked: "presence-a"), events: events, members: 100, version: 100, timestamp: 1)
        let written = WrittenSteps(change, in: dialect, by: FrameWriter())
        for known in 0..<100 {
            let parts = written.frames(of: Array(events[known...]))
            #expect(parts.count == 1 && parts[0].readableBytes <= written.whole.readableBytes)
        }
        #expect(written.frames(of: Array(events[..<10] + events[11...])).count == 2)
        #expect(written.frames(of: []).isEmpty)
        // What is no part of the whole is written for the first who needs it.
        for _ in 0..<3 { #expect(written.frames(of: [event(.leave, "u3"), event(.join, "u4")]).count == 2) }
        #expect(dialect.written.withLock { $0 } == 101)
    }
}
