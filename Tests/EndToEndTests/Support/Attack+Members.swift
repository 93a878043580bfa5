import Foundation
import NIOCore
import TestKit
import TestSupport

/// What users who were let in can do with messages.
extension Attack {
    private static func message(to room: String, bytes: Int) -> String {
        #"{"type":"message","roomId":"\#(room)","payload":"\#(String(repeating: "a", count: bytes))"}"#
    }

    /// Frames that inflate to thousands of keys, as strangers send them too.
    static let memberKeys = Attack(name: "members send frames that inflate to thousands of keys") { arena, scale in
        let frames = HostileFrames.repeated(inflatingFrame, 112)
        let sockets = try await each(Array(0..<10 * scale)) { try await arena.member("mallory-\($0)", deflating: true) }
        try await arena.pay {
            for socket in sockets { socket.send(frames) }
            // The welcome, and an answer to each frame.
            try await eventually("the end of the frames", within: .seconds(300)) {
                sockets.allSatisfy { !$0.isOpen || $0.textCount > 112 }
            }
        }
    }

    /// Messages of 60 kB that are 150 bytes on the wire, into many rooms.
    static let fullRedis = Attack(name: "a member fills Redis", redis: .holding("40mb")) { arena, scale in
        let mallory = try await arena.member("mallory", deflating: true)
        let rooms = (0..<100).map { "heap-\($0)" }
        try await arena.join(rooms, by: mallory)
        let frames = rooms.map { HostileFrames.deflated(message(to: $0, bytes: 60_000)) }
        mallory.listensNoMore()
        try await arena.pay {
            for _ in 0..<(6 * scale) where mallory.isOpen {
                for frame in frames { mallory.send(frame) }
                try await arena.wait(.seconds(1))
            }
            let use = try await RedisUse(arena.redis)
            if use.usedBytes > 36 << 20 { arena.note("Redis is full: \(use.usedBytes >> 20) MiB of 40") }
            try await arena.admit("newcomer")
        }
    }

    /// The same into one room with others in it.
    static let floodedRoom = Attack(name: "a member floods a room of ten") { arena, scale in
        let members = try await each(Array(0..<10)) { try await arena.member("member-\($0)", in: "hall") }
        for member in members { member.listensNoMore() }
        let mallory = try await arena.member("mallory", in: "hall", deflating: true)
        mallory.listensNoMore()
        let frame = HostileFrames.deflated(message(to: "hall", bytes: 60_000))
        try await arena.pay {
            for _ in 0..<(3 * scale) where mallory.isOpen {
                mallory.send(HostileFrames.repeated(frame, 98))
                try await arena.wait(.seconds(1))
            }
            if members.contains(where: { !$0.isOpen }) { arena.note("a member was closed") }
        }
    }

    /// Publishes that wait for a Redis that stands still.
    static let silentRedis = Attack(name: "members publish while Redis stands still", redisStandsStill: true) {
        arena, scale in
        let frames = HostileFrames.repeated(HostileFrames.text(message(to: "hall", bytes: 60_000)), 20 * scale)
        let members = try await each(Array(0..<20)) { try await arena.member("member-\($0)", in: "hall") }
        for member in members { member.listensNoMore() }
        try await arena.pay {
            arena.redis.pause()
            for _ in 0..<3 {
                for member in members { member.send(frames) }
                try await arena.wait(.seconds(1))
            }
            arena.redis.resume()
            try await arena.wait(.seconds(2))
        }
    }

    /// Members that take no byte from their sockets and send pings.
    static let deafMembers = Attack(name: "members never read") { arena, scale in
        let count = 20 * scale
        let members = try await each(Array(0..<count)) { try await arena.member("member-\($0)", in: "hall") }
        for member in members {
            member.listensNoMore()
            try await member.stopReading()
        }
        let payload = String(repeating: "a", count: 60_000)
        try await arena.pay {
            let before = try KernelUse().socketBytes
            for _ in 0..<60 {
                _ = try await arena.node.request(
                    "POST", "/v1/broadcast", body: #"{"to":{"rooms":["hall"]},"payload":"\#(payload)"}"#)
                for member in members { member.send(text: #"{"type":"ping"}"#) }
            }
            try await arena.wait(.seconds(2))
            let held = (try KernelUse().socketBytes - before) / count
            arena.remark("the system holds \(held >> 10) KiB for each")
            if held > 2 << 20 { arena.note("the system holds \(held >> 10) KiB for each") }
        }
    }

    /// Requests of 60 bytes for pages as long as there are, by eight connections of one user.
    static let longPages = Attack(name: "a member reads long pages of history") { arena, scale in
        let payload = String(repeating: "a", count: 10_000)
        let batch = (0..<90).map { _ in #"{"to":{"rooms":["archive"]},"payload":"\#(payload)"}"# }
        for _ in 0..<3 {
            _ = try await arena.node.request(
                "POST", "/v1/broadcast/batch", body: #"{"broadcasts":[\#(batch.joined(separator: ","))]}"#)
        }
        let request = HostileFrames.text(#"{"type":"history","id":1,"roomId":"archive","limit":1000}"#)
        let sockets = try await each(Array(0..<8)) { _ in try await arena.member("mallory", in: "archive") }
        sockets[0].send(request)
        let pageBytes = try await sockets[0].text(with: #""id":1,"#).utf8.count
        for socket in sockets { socket.listensNoMore() }
        try await arena.pay {
            let end = ContinuousClock.now + .seconds(4 * scale)
            let counts = try await each(sockets) { socket in
                let before = socket.receivedBytes
                var asked = 0
                while ContinuousClock.now < end, socket.isServed {
                    // As many as are read at once, so that none is refused.
                    let wanted = (socket.receivedBytes - before) / pageBytes + 4
                    for _ in asked..<max(asked, wanted) { socket.send(request) }
                    asked = max(asked, wanted)
                    try await arena.wait(.milliseconds(5))
                }
                return asked
            }
            arena.remark("\(counts.reduce(0, +)) pages of \(pageBytes >> 10) KiB")
        }
    }

    /// Messages with keys that are to be remembered, as long as such keys may be.
    static let dedupeKeys = Attack(
        name: "a user has a key remembered with each message",
        environment: ["MARTLET_CLIENT_DEDUPE_KEYS_PER_USER": "100"]
    ) { arena, scale in
        let mallory = try await arena.member("mallory", in: "attic")
        let padding = String(repeating: "k", count: 50)
        try await arena.pay {
            for round in 0..<(5 * scale) where mallory.isOpen {
                for number in 0..<80 {
                    let key = "\(round)-\(number)-\(padding)"
                    mallory.send(text: #"{"type":"message","roomId":"attic","payload":1,"dedupe":"\#(key)"}"#)
                }
                try await arena.wait(.seconds(1))
            }
            // Each message that was stored has left a key; honest clients' messages have some too.
            let head = try await arena.redis.cli("--scan", "--pattern", "*:room:attic:head")
            let count = Int(try await arena.redis.cli("HGET", head, "seq")) ?? 0
            // One more every 1.2 s.
            if count > 100 + 10 * scale { arena.note("\(count) keys of one user are remembered") }
            let key = try await arena.redis.cli("--scan", "--pattern", "*dedupe*").split(separator: "\n").max {
                $0.utf8.count < $1.utf8.count
            }
            arena.remark("\(count) keys of \(key?.utf8.count ?? 0) bytes at most")
        }
    }

    /// One request of a MiB to many rooms at once.
    static let hugeBroadcast = Attack(name: "one request writes a MiB into a hundred rooms") { arena, scale in
        let rooms = (0..<100 * scale).map { "\"wide-\($0)\"" }.joined(separator: ",")
        let payload = String(repeating: "a", count: 1_000_000)
        let body = #"{"to":{"rooms":[\#(rooms)]},"payload":"\#(payload)"}"#
        try await arena.pay {
            let answer = try await arena.node.request("POST", "/v1/broadcast", body: body)
            arena.sent(body.utf8.count)
            if answer.status != 413 { arena.note("it was answered \(answer.status)") }
        }
    }
}

extension RedisServerProcess.Options {
    static func holding(_ memory: String) -> RedisServerProcess.Options {
        var options = RedisServerProcess.Options()
        options.maxMemory = memory
        return options
    }
}
