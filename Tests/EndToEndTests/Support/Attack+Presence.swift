import Foundation
import RedisBackend
import TestKit
import TestSupport

/// What users who were let in can do by coming and going.
extension Attack {
    /// Four sessions with many rooms, each taken up again as soon as it can be.
    static let resumedRooms = Attack(name: "sessions with a hundred rooms are resumed again and again") {
        arena, scale in
        let rooms = (0..<100).map { "wing-\($0)" }
        let sessions = try await each(Array(0..<4)) { _ in
            let socket = try await arena.member("mallory")
            try await arena.join(rooms, by: socket)
            let session = try await arena.session(of: socket)
            socket.close()
            return session
        }
        try await arena.pay {
            let end = ContinuousClock.now + .seconds(6 * scale)
            let counts = try await each(sessions) { first in
                var session = first
                var count = (resumed: 0, anew: 0, refused: 0)
                while ContinuousClock.now < end {
                    let socket = try await arena.open("?userId=mallory&session=\(session)")
                    try await eventually("a welcome or a refusal") { socket.textCount > 0 || !socket.isServed }
                    if let welcome = socket.texts.first(where: { $0.contains(#""type":"welcome""#) }) {
                        session = try await arena.session(of: socket)
                        if welcome.contains(#""resumed":true"#) { count.resumed += 1 } else { count.anew += 1 }
                    } else {
                        count.refused += 1
                    }
                    socket.send(text: #"{"type":"resume","since":{}}"#)
                    socket.close()
                }
                return count
            }
            let all = counts.reduce((0, 0, 0)) { ($0.0 + $1.resumed, $0.1 + $1.anew, $0.2 + $1.refused) }
            arena.remark("\(all.0) resumed, \(all.1) begun anew, \(all.2) refused")
            // Each is 8 ms of what a user may spend: a second saved up, and a fifth of one for each.
            if all.0 > (1000 + 200 * (6 * scale + 1)) / 8 { arena.note("\(all.0) sessions were resumed") }
        }
    }

    /// One user with hundreds of connections in one room, who wants much shown of it.
    static let crowdOfOne = Attack(name: "one user comes with three hundred connections", secret: secret) {
        arena, scale in
        let token = try arena.token(of: "mallory", info: #"{"about":"\#(String(repeating: "a", count: 1900))"}"#)
        try await arena.pay {
            let sockets = try await each(Array(0..<300 * scale)) { _ in
                let socket = try await arena.open("?token=\(token)")
                socket.send(text: #"{"type":"join","roomId":"hall"}"#)
                return socket
            }
            try await eventually("an answer to each") { sockets.allSatisfy { $0.textCount > 0 || !$0.isServed } }
            let open = sockets.count { $0.isServed }
            if open > 100 { arena.note("one user has \(open) connections") }
            try await arena.wait(.milliseconds(500))
        }
    }

    /// One user who goes in and out of a room with many in it.
    static let revolvingDoor = Attack(name: "a user joins and leaves a room of two hundred") { arena, scale in
        let members = try await each(Array(0..<200)) { try await arena.member("member-\($0)", in: "hall") }
        for member in members { member.listensNoMore() }
        let mallory = try await arena.member("mallory")
        mallory.listensNoMore()
        // What the members are told of each other's coming is not the attacker's doing.
        try await arena.wait(.seconds(1))
        let turn =
            HostileFrames.text(#"{"type":"join","roomId":"hall"}"#)
        let back = HostileFrames.text(#"{"type":"leave","roomId":"hall"}"#)
        try await arena.pay {
            for _ in 0..<(60 * scale) where mallory.isOpen {
                mallory.send(turn)
                mallory.send(back)
                try await arena.wait(.milliseconds(50))
            }
            try await arena.wait(.milliseconds(500))
        }
    }

    /// Rooms that nobody has been in, entered and left.
    static let freshNames = Attack(name: "a user enters and leaves hundreds of new rooms") { arena, scale in
        let mallory = try await arena.member("mallory")
        mallory.listensNoMore()
        try await arena.pay {
            for number in 0..<(200 * scale) where mallory.isOpen {
                mallory.send(text: #"{"type":"join","roomId":"fresh-\#(number)"}"#)
                mallory.send(text: #"{"type":"leave","roomId":"fresh-\#(number)"}"#)
                try await arena.wait(.milliseconds(20))
            }
            try await arena.wait(.milliseconds(500))
            let heads = try await arena.redis.cli("--scan", "--pattern", "*:room:fresh-*:head")
            for head in heads.split(separator: "\n").prefix(5) {
                let left = Int(try await arena.redis.cli("TTL", String(head))) ?? 0
                if left > 3600 { arena.note("a room that was only touched is kept for \(left) s") }
            }
        }
    }

    /// Users that come once and never again.
    static let inventedUsers = Attack(
        name: "hundreds of users come once each",
        environment: ["MARTLET_PRESENCE_SEEN_USERS": "64", "MARTLET_PRESENCE_GRACE": "0s"]
    ) { arena, scale in
        try await arena.pay {
            _ = try await each(Array(0..<300 * scale)) { number in
                try await arena.member("ghost-\(number)").farewell()
            }
            @Sendable func remembered() async throws -> Int {
                let script = """
                    local n, tags = 0, '\(Partition.tags.joined(separator: " "))'
                    for tag in string.gmatch(tags, '%a+') do n = n + redis.call('ZCARD', 'm:{' .. tag .. '}:seen') end
                    return n
                    """
                return Int(try await arena.redis.cli("EVAL", script, "0")) ?? 0
            }
            try await eventually("the first of them to have gone") { try await remembered() > 64 }
            // Such lists are looked after three times in two minutes; to look at them costs Redis something too.
            var count = try await remembered()
            for _ in 0..<60 {
                if count <= 64 { break }
                try await arena.wait(.seconds(1))
                count = try await remembered()
            }
            if count > 64 { arena.note("when \(count) users were last seen is remembered") }
        }
    }
}
