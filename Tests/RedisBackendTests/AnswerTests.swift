import Foundation
import GatewayCore
import RedisClient
import Testing

import RedisBackend

/// What replies mean, without a Redis.
@Suite("What a reply tells")
struct AnswerTests {
    /// RESP, with a bar for each line's end.
    private func reply(_ text: String) throws -> RedisReply {
        let reader = try #require(ReplyReader(maxReplyBytes: 1024))
        var found: RedisReply?
        try Array(text.replacing("|", with: "\r\n").utf8).withUnsafeBytes { bytes in
            try reader.read(bytes) { reply in
                found = reply.copied()
                return true
            }
        }
        return try #require(found)
    }

    @Test func `a registration tells since when it holds, after what, whom it has marked and where the inbox stands`()
        throws
    {
        let text = "*7|+ok|:5|$1|9|:4|*1|$2|n2|$2|e1|:3|"
        let answer = Connect.Answer(try reply(text))
        var registered = Connect.Registered(since: 5, now: 9)
        registered.disconnection = 4
        registered.marked = ["n2"]
        registered.inbox = Position(epoch: "e1", seq: 3)
        #expect(answer == .registered(registered))
        let resumed = ResumeSession.Answer(try reply("*12|+ok|:5|$1|9|:4|*1|$2|n2|$2|e1|:3|$2|c1|:6|:0|$1|r|$0||"))
        registered.moves = 6
        let earlier = ResumeSession.Earlier(connection: "c1", rooms: [RoomName(unchecked: "r")])
        #expect(resumed == .resumed(registered, earlier))
        #expect(Connect.Answer(try reply("*2|+fenced|:8|")) == .fenced(at: 8))
        #expect(Connect.Answer(try reply("*1|+replaced|")) == .replaced)
    }

    @Test func `a head of an earlier run of Redis tells no position`() throws {
        let answer = Join.Answer(try reply("*6|+ok|:2|:7|$1|9|$0||:-1|"))
        #expect(answer == .joined(RosterState(members: 2, version: 7, timestamp: 9), stream: nil))
    }

    @Test func `a renewed lease shows the index, and half an entry of it makes the reply none`() throws {
        let node = Beat.Node("n1", instance: "i", lease: .seconds(3))
        let beat = Beat(.renew(incarnation: 5, beat: 0), of: node, description: "", left: "")
        let renewed = beat.read(try reply("*17|+ok|:9|:7|:1|:4|:6|:2|$2|n1|:5|:3|:8|:1|$2|n2|:6|:4|:9|:0|"))
        guard case .renewed(let index) = renewed else {
            Issue.record("\(String(describing: renewed))")
            return
        }
        #expect(index.now == 9 && index.newest == 7 && index.marks == 1)
        #expect(index.meeting == ServerMeeting(from: 4, age: 6) && index.format == 2)
        #expect(index.nodes.map(\.name) == ["n1", "n2"] && index.nodes.map(\.at) == [8, 9])
        #expect(index.nodes.map(\.last) == [LastBeat(incarnation: 5, number: 3), LastBeat(incarnation: 6, number: 4)])
        #expect(index.nodes.map(\.ability) == [.able, .unable])
        #expect(beat.read(try reply("*12|+ok|:9|:7|:1|:4|:6|:2|$2|n1|$1|x|:3|:8|:1|")) == nil)
        #expect(beat.read(try reply("*3|+taken|:5|:3|")) == .taken(by: LastBeat(incarnation: 5, number: 3)))
    }

    @Test func `what is not there is told apart from what was taken before`() throws {
        let key = Keys(prefix: "m").idempotency("k", beside: room)
        let claim = KeyCommand<Claim>.claim(key, with: "d 2", life: .seconds(1))
        #expect(claim.read(try reply("$-1|")) == .taken)
        #expect(claim.read(try reply("$3|d 1|")) == .held(by: "d 1"))
        #expect(claim.read(try reply(":1|")) == nil)
    }

    @Test(arguments: ["$-1|", ":7|", "+strange|", "*0|", "*1|+ok|", "*2|$-1|:1|", "*2|*0|*0|", "*3|+ok|*0|*0|"])
    func `a reply of another shape is nobody's answer`(_ text: String) throws {
        let reply = try reply(text)
        let partition = Partition(number: 0)
        let room = RoomName(unchecked: "r")
        let limits = LogLimits(size: 1, age: .seconds(1))
        #expect(Connect.Answer(reply) == nil)
        #expect(ResumeSession.Answer(reply) == nil)
        #expect(Join.Answer(reply) == nil)
        #expect(Disconnect.Answer(reply) == nil && Leave.Answer(reply) == nil)
        let expel = Expel(UserID(unchecked: "u"), Expulsion(text: ""), settings: PresenceSettings())
        #expect(expel.read(reply) == nil && Pardon.Answer(reply) == nil)
        #expect(Sweep.Answer(reply) == nil && ClaimPartition.Answer(reply) == nil)
        #expect(Settle.Answer(reply) == nil && BanAddresses.Answer(reply) == nil && LiftBan.Answer(reply) == nil)
        #expect(ReadBacklog.Answer(reply) == nil && ReadBans.Answer(reply) == nil)
        #expect(Published(reply) == nil)
        #expect(ReadHeads(of: [room, room], in: partition).read(reply) == nil)
        #expect(
            AskPosition(room, hasRoster: true, limits: limits, reading: nil, candidate: "e").read(reply) == nil)
        if case .found = Look.Answer(reply) { Issue.record("found something") }
        if case .gathered = Gather.Answer(reply) { Issue.record("gathered something") }
    }

    @Test func `no reply is read by number outside Scripts, and no script names a position below its first lines`()
        throws
    {
        let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let module = package.appending(path: "Sources/RedisBackend")
        let files = try #require(FileManager.default.enumerator(at: module, includingPropertiesForKeys: nil))
            .compactMap { $0 as? URL }
        #expect(files.contains { $0.pathExtension == "lua" } && files.contains { $0.pathExtension == "swift" })
        for file in files where file.pathExtension == "swift" && !file.path.contains("/Scripts/") {
            let text = try String(contentsOf: file, encoding: .utf8)
            #expect(!text.contains(/\[\d+\]\.(string|integer|bytes|isNull|strings)\b/), "\(file.lastPathComponent)")
        }
        for file in files where file.pathExtension == "lua" {
            let text = try String(contentsOf: file, encoding: .utf8)
            let code = text.split(separator: "\n").filter { !$0.hasPrefix("--") && !$0.hasPrefix("#!") }
            let first = code.firstIndex { !$0.contains(/^local [\w, ]+ = (KEYS|ARGV)\[/) } ?? code.endIndex
            for line in code[first...] {
                #expect(!line.contains(/(KEYS|ARGV)\[\d|#KEYS|ipairs\(KEYS\)/), "\(file.lastPathComponent): \(line)")
            }
        }
    }
}
