import Foundation
import TestKit

/// What users who were let in can do by coming and going.
extension Attack {
    /// A session with many rooms, taken up again and again.
    static let resumedRooms = Attack(name: "a session with a hundred rooms is resumed again and again") {
        arena, scale in
        let mallory = try await arena.member("mallory")
        try await arena.join((0..<100).map { "wing-\($0)" }, by: mallory)
        var session = try await arena.session(of: mallory)
        mallory.close()
        try await arena.pay {
            for _ in 0..<(250 * scale) {
                let socket = try await arena.open("?userId=mallory&session=\(session)")
                try await eventually("a welcome or a refusal") { socket.textCount > 0 || !socket.isOpen }
                if socket.textCount > 0 { session = try await arena.session(of: socket) }
                socket.send(text: #"{"type":"resume","since":{}}"#)
                socket.close()
            }
            try await arena.wait(.seconds(1))
        }
    }

    /// One user with hundreds of connections in one room.
    static let crowdOfOne = Attack(name: "one user comes with three hundred connections") { arena, scale in
        try await arena.pay {
            let sockets = try await each(Array(0..<300 * scale)) { _ in
                let socket = try await arena.open("?userId=mallory")
                socket.send(text: #"{"type":"join","roomId":"hall"}"#)
                return socket
            }
            try await arena.wait(.seconds(1))
            let open = sockets.count { $0.isOpen }
            if open > 100 { arena.note("one user has \(open) connections") }
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
}
