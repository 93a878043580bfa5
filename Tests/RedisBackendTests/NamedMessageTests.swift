import GatewayCore
import RedisBackend
import TestKit
import TestSupport
import Testing

@Suite("Names of messages, whom they leave out, and what is not stored")
struct NamedMessageTests {
    private func publication(_ event: String?, except: String? = nil) -> Publication {
        var publication = Publication(room, #"7 {"a":1}"#)
        publication.event = event.flatMap { EventName($0) }
        publication.except = except
        return publication
    }

    private func unstored(_ publication: Publication) -> Publication {
        var publication = publication
        publication.isVolatile = true
        return publication
    }

    @Test func `a message's name and whom it leaves out are kept with it, and come by the channel`() async throws {
        try await RedisFixture().withBackends([nil, nil]) { backends in
            let sink = RecordingSink()
            backends[1].streams.follow(room, ticket: 1, hub: backends[1].streams.open(sink))
            try await eventually { sink.position(of: 1) != nil }
            let log = backends[0].messageLog
            let first = publication("typing 1.5 é", except: "0123456789abcd")
            try await eventually { (try? await log.publish(first)) != nil }
            _ = try await log.publish(publication("typing 1.5 é"))
            _ = try await log.publish(publication(nil, except: "x"))
            _ = try await log.publish(publication(nil))
            try await eventually { sink.sequence == [1, 2, 3, 4] }
            let page = try await backends[1].messageLog.history(of: room, range: HistoryRange(edge: .newest, limit: 9))
            for messages in [page.messages, sink.messages] {
                #expect(messages.map { $0.event?.string } == ["typing 1.5 é", "typing 1.5 é", nil, nil])
                #expect(messages.map(\.except) == ["0123456789abcd", nil, "x", nil])
                #expect(messages.allSatisfy { String(decoding: $0.payload, as: UTF8.self) == #"7 {"a":1}"# })
            }
        }
    }

    @Test func `consumers of the stream are told the name`() async throws {
        let pattern = try #require(RoomPattern("lesson-*"))
        var rule = RoomRule(pattern: pattern, log: LogLimits(size: 100, age: .seconds(60)))
        rule.isStreamed = true
        let fixture = try RedisFixture(rules: RoomRules(rules: [rule]))
        try await fixture.withBackends([nil]) { backends in
            let log = backends[0].messageLog
            try await eventually { (try? await log.publish(publication("typing", except: "0123456789abcd"))) != nil }
            _ = try await log.publish(publication(nil))
            let stream = Keys(prefix: "m").messages(Partition(of: room)).name
            let entries = try await fixture.redis.cli("XRANGE", stream, "-", "+")
            let words = entries.split(whereSeparator: \.isNewline).map(String.init)
            #expect(words.count { $0 == "event" } == 1 && words.contains("typing"))
            #expect(words.count { $0 == #"7 {"a":1}"# } == 2 && words.count { $0 == "alice" } == 2)
        }
    }

    @Test func `what is volatile is sent to all nodes and is nowhere afterwards`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil, nil]) { backends in
            let sinks = [RecordingSink(), RecordingSink()]
            for (backend, sink) in zip(backends, sinks) {
                let hub = backend.streams.open(sink)
                backend.streams.follow(room, ticket: 1, hub: hub)
                backend.streams.follow(.everyone, ticket: 2, hub: hub)
            }
            try await eventually { sinks.allSatisfy { $0.position(of: 1) != nil && $0.position(of: 2) != nil } }
            let log = backends[0].messageLog
            _ = try await log.publish(Publication(room, "1"))
            let writes = try await fixture.calls(of: "hset") + fixture.calls(of: "xadd") + fixture.calls(of: "set")
            let typing = unstored(publication("typing", except: "c"))
            try await eventually { (try? await log.publish(typing)) != nil }
            var forAll = typing
            forAll.room = .everyone
            let published = try await log.publish(forAll)
            #expect(published.position == .unstored && published.timestamp > 1_700_000_000_000)
            try await eventually { sinks.allSatisfy { $0.unstored.count == 2 } }
            for message in sinks.flatMap(\.unstored) {
                #expect(message.event?.string == "typing" && message.except == "c" && message.isVolatile)
            }
            _ = try await log.publish(Publication(room, "2"))
            try await eventually { sinks.allSatisfy { $0.sequence == [1, 2] } }
            let page = try await log.history(of: room, range: HistoryRange(edge: .newest, limit: 9))
            #expect(page.messages.map { String(decoding: $0.payload, as: UTF8.self) } == ["1", "2"])
            let later = try await fixture.calls(of: "xadd") + fixture.calls(of: "set")
            #expect(later <= writes + 1)
        }
    }

    @Test func `a user gets what is volatile at the connections that are there`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil, nil]) { backends in
            let user = UserID(unchecked: "ü 1")
            let inbox = RoomName(inboxOf: user)
            let keys = Keys(prefix: "m")
            _ = try await fixture.redis.cli(
                "HSET", keys.connections(of: user).name, "c1", "node-1:5 1700000000000 ::1 s -")
            _ = try await fixture.redis.cli("ZADD", keys.online(Partition(of: user.string)).name, "1", user.string)
            let sink = RecordingSink()
            backends[1].streams.follow(inbox, ticket: 1, hub: backends[1].streams.open(sink))
            try await eventually { sink.position(of: 1) != nil }
            let note = unstored(Publication(inbox, #"{"a":1}"#))
            try await eventually { (try? await backends[0].messageLog.publish(note)) != nil }
            let published = try await backends[0].messageLog.publish(note)
            #expect(published.reach == Reach(isOnline: true, connections: 1) && published.position == .unstored)
            try await eventually { sink.unstored.count >= 2 }
            #expect(sink.unstored.allSatisfy { $0.room == inbox && $0.payload == Array(#"{"a":1}"#.utf8) })
        }
    }

    @Test func `while nodes of an earlier format run, nothing is sent that they could not read`() async throws {
        let fixture = try RedisFixture()
        try await fixture.withBackends([nil], configure: { $1.format = Format(writes: 2, reads: 2) }) { backends in
            let log = backends[0].messageLog
            await #expect(throws: BackendError.mixedReleases) { try await log.publish(publication("typing")) }
            await #expect(throws: BackendError.mixedReleases) { try await log.publish(publication(nil, except: "c")) }
            let typing = unstored(publication(nil))
            await #expect(throws: BackendError.mixedReleases) { try await log.publish(typing) }
            let stored = try await log.publish(publication(nil))
            #expect(stored.position.seq == 1)
        }
    }

    @Test(arguments: [
        "1", "1 5 ali", "x 5 alice1", "1. 5 alice1", "1.2.3.4 5 alice1", "1.99 5 alice1", ".1 5 alice1",
        "1.2.99 5 aliceab1",
    ])
    func `a body that is none is no message`(text: String) {
        let message = Array(text.utf8).withUnsafeBytes {
            MessageBody.decode($0, room: room, position: .unstored, timestamp: 1)
        }
        #expect(message == nil)
    }
}
