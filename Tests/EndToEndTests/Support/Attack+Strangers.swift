import NIOCore
import TestKit

/// What can be done without a token.
extension Attack {
    /// For attacks of those who have none.
    static let secret = "0123456789abcdef0123456789abcdef"

    /// Frames of 147 bytes that are 64 KiB when they are inflated, with nine thousand keys to be read.
    static let inflatedKeys = Attack(name: "strangers send frames that inflate to thousands of keys", secret: secret) {
        arena, scale in
        let keys = String(repeating: #","\n":0"#, count: 9354)
        let frames = HostileFrames.repeated(HostileFrames.deflated(#"{"type":"ping"\#(keys)}"#), 112)
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
            try await arena.admit("newcomer")
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
