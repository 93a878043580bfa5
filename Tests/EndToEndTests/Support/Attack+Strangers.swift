import NIOCore
import TestKit
import TestSupport

/// What can be done without a token.
extension Attack {
    /// For attacks of those who have none.
    static let secret = "0123456789abcdef0123456789abcdef"

    /// Frames of 147 bytes that are 64 KiB when they are inflated, with nine thousand keys to be read.
    static var inflatingFrame: ByteBuffer {
        let keys = String(repeating: #","\n":0"#, count: 9354)
        return HostileFrames.deflated(#"{"type":"ping"\#(keys)}"#)
    }

    static let inflatedKeys = Attack(name: "strangers send frames that inflate to thousands of keys", secret: secret) {
        arena, scale in
        let frames = HostileFrames.repeated(inflatingFrame, 112)
        let sockets = try await each(Array(0..<10 * scale)) { _ in try await arena.open("", deflating: true) }
        try await arena.pay {
            for socket in sockets { socket.send(frames) }
            try await eventually("the end of the frames", within: .seconds(300)) {
                sockets.allSatisfy { !$0.isOpen || $0.textCount >= 112 }
            }
        }
    }

    /// The first 60 kB of messages that never end.
    static let halfMessages = Attack(name: "strangers leave compressed messages unfinished", secret: secret) {
        arena, scale in
        let half = HostileFrames.unfinishedDeflated(#"{"type":"ping","a":"\#(String(repeating: "a", count: 60_000))"#)
        let sockets = try await each(Array(0..<100 * scale)) { _ in try await arena.open("", deflating: true) }
        try await arena.pay {
            for socket in sockets { socket.send(half) }
            try await arena.wait(.seconds(2))
        }
    }

    /// Handshakes that do not end and sockets that say nothing, more than the node takes.
    static let occupiedDoor = Attack(
        name: "strangers take every place", environment: ["MARTLET_CLIENT_MAX_CONNECTIONS": "100"], secret: secret
    ) { arena, scale in
        try await arena.pay {
            _ = try await each(Array(0..<300 * scale)) { number in
                let socket = try await arena.connect()
                if number % 4 == 0 {
                    socket.send(ByteBuffer(string: "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\n"))
                } else {
                    socket.send(HostileSocket.handshake(path: "/ws"))
                }
            }
            // Those that give way have three seconds to say goodbye, in which their places are not free, and whoever is
            // refused tries again after a while.
            try await arena.admit("newcomer", within: .seconds(3))
        }
    }

    /// Half handshakes of one address, many more than it may have sockets; from outside, since loopback is not counted.
    static let halfHandshakes = Attack(
        name: "one address begins handshakes and ends none",
        environment: ["MARTLET_CLIENT_HOST": "0.0.0.0", "MARTLET_CLIENT_MAX_CONNECTIONS_PER_ADDRESS": "50"],
        secret: secret
    ) { arena, scale in
        guard let address = outsideAddress else { throw NeverHappened(description: "no address but loopback") }
        let half = ByteBuffer(string: "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        try await arena.pay {
            let sockets = try await each(Array(0..<200 * scale)) { _ in
                let socket = try await arena.connect(host: address)
                socket.send(half)
                return socket
            }
            let begun = ContinuousClock.now
            try await arena.wait(.milliseconds(500))
            let held = sockets.count { $0.isOpen }
            if held > 50 { arena.note("\(held) handshakes of one address are under way") }
            try await arena.admit("newcomer")
            try await ContinuousClock().sleep(until: begun + .seconds(7))
            let late = sockets.count { $0.isOpen }
            if late > 0 { arena.note("\(late) handshakes have not ended after 7 s") }
        }
    }

    /// An address of this machine from which it is not its own guest; nil where it has none.
    static var outsideAddress: String? {
        let addresses = (try? System.enumerateDevices())?.compactMap(\.address) ?? []  // None is known then.
        return addresses.first { $0.protocol == .inet && $0.ipAddress?.hasPrefix("127.") == false }?.ipAddress
    }

    /// Handshakes with sessions that nobody gave out, in the second in which somebody comes back to a real one.
    static let inventedSessions = Attack(
        name: "invented sessions are to come in before real ones",
        environment: ["MARTLET_CLIENT_TRUSTED_PROXIES": "127.0.0.0/8", "MARTLET_CLIENT_ACCEPT_RATE": "8"]
    ) { arena, scale in
        let home = [("X-Forwarded-For", "198.51.100.7")]
        let traveller = try await arena.open("?userId=traveller", headers: home)
        let session = try await arena.session(of: traveller)
        traveller.close()
        try await arena.pay {
            // The second in which the traveller first came is over.
            try await arena.wait(.milliseconds(1100))
            let sockets = try await each(Array(0..<40 * scale)) { number in
                let invented = "0-AAAAAAAAAAAAAAAAAAAAAA" + (number % 2 == 0 ? "" : ".1AAAAAAAAAAAAAAAA")
                return try await arena.open(
                    "?userId=mallory-\(number)&session=\(invented)",
                    headers: [("X-Forwarded-For", "203.0.113.\(number % 250)")])
            }
            arena.remark("\(sockets.count { $0.status == 101 }) of \(sockets.count) came in")
            let back = try await arena.open("?userId=traveller&session=\(session)", headers: home)
            if back.status == 101 {
                let welcome = try await back.text(with: #""type":"welcome""#)
                if !welcome.contains(#""resumed":true"#) { arena.note("a session was forgotten") }
            } else {
                arena.note("who came back to a session was answered \(back.status ?? 0)")
            }
        }
    }

    /// Connections to the api port that ask nothing, and one after another that is asked whether the node lives.
    static let idleCallers = Attack(name: "idle sockets on the api port") { arena, scale in
        try await arena.pay {
            _ = try await each(Array(0..<1100 * scale)) { _ in try await arena.connect(toAPI: true) }
            for _ in 0..<10 {
                let probe = try await arena.connect(toAPI: true)
                let end = ContinuousClock.now + .seconds(2)
                probe.send(ByteBuffer(string: "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"))
                try await eventually("an answer or the time") { probe.status != nil || ContinuousClock.now > end }
                if probe.status != 200 { arena.note("liveness says \(probe.status.map(String.init) ?? "nothing")") }
            }
        }
    }
}
