import Foundation
import LoadBench
import Testing

/// The socket loop against a peer that sends what a test says, in the pieces it says.
@Suite struct SocketLoopTests {
    private static let upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"

    /// What one connection told until it was closed, each event as a line.
    private func events(after bytes: [UInt8], piece: Int) async throws -> [String] {
        let (listener, port) = try listen()
        async let served: Void = onThread {
            let peer = accept(listener, nil, nil)
            defer {
                close(peer)
                close(listener)
            }
            var on: Int32 = 1
            setsockopt(peer, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
            for start in stride(from: 0, to: bytes.count, by: piece) {
                let part = Array(bytes[start..<min(bytes.count, start + piece)])
                guard send(peer, part, part.count, Int32(MSG_NOSIGNAL)) == part.count else { return }
            }
            // Closed with a pong unread, it would reset the connection and take back what was sent.
            shutdown(peer, Int32(SHUT_WR))
            var rest: UInt8 = 0
            while recv(peer, &rest, 1, 0) > 0 {}
        }
        let lines = try await onThread {
            let loop = try SocketLoop()
            _ = try loop.connect(.init(role: 1, index: 5), to: .localhost(port: port)).get()
            var lines: [String] = []
            var isOver = false
            while !isOver {
                try loop.poll(until: Clock.after(seconds: 10)) { event in
                    #expect(event.tag == SocketLoop.Tag(role: 1, index: 5))
                    switch event.kind {
                    case .opened: lines.append("opened")
                    case .response(let status): lines.append("response \(status), \(event.bytes.count) bytes")
                    case .message: lines.append("message \(String(decoding: event.bytes, as: UTF8.self).prefix(20))")
                    case .bytes: lines.append("bytes")
                    case .closed(let ending):
                        lines.append("\(ending)")
                        isOver = true
                    }
                }
            }
            return lines
        }
        try await served
        return lines
    }

    private func listen() throws -> (descriptor: Int32, port: UInt16) {
        let (descriptor, port) = try FloorServer.open()
        // The floor server's listener does not block; this test's peer waits for its one connection.
        _ = fcntl(descriptor, F_SETFL, 0)
        return (descriptor, port)
    }

    @Test(arguments: [1, 2, 3, 7, 64, 100_000])
    func `frames come whole however they were cut`(piece: Int) async throws {
        let long = String(repeating: "x", count: 300)
        let bytes =
            Array(Self.upgrade.utf8) + [0x81, 2] + Array("hi".utf8) + [0x89, 1, 65, 0x81, 126, 1, 44]
            + Array(long.utf8) + [0x81, 0, 0x88, 2, 0x10, 0xF1]
        let expected = [
            "opened", "response 101, \(Self.upgrade.utf8.count) bytes", "message hi",
            "message \(String(repeating: "x", count: 20))", "message ", "closed by the server with 4337",
        ]
        #expect(try await events(after: bytes, piece: piece) == expected)
    }

    @Test(arguments: [1, 100])
    func `responses come one by one with their bodies`(piece: Int) async throws {
        let one = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"
        let other = "HTTP/1.1 503 Service Unavailable\r\nX: y\r\nContent-Length:0\r\n\r\n"
        let lines = try await events(after: Array((one + other).utf8), piece: piece)
        #expect(
            lines == [
                "opened", "response 200, \(one.utf8.count) bytes", "response 503, \(other.utf8.count) bytes",
                "ended by the server without a close frame",
            ])
    }

    @Test(arguments: [
        [0x81, 0x81, 1, 2, 3, 4, 5], [0xC1, 1, 65], [0x01, 1, 65], [0x83, 0], [0x81, 127, 1, 0, 0, 0, 0, 0, 0, 0],
    ])
    func `a server that masks, fragments, compresses or exaggerates breaks the protocol`(
        _ frame: [UInt8]
    ) async throws {
        let lines = try await events(after: Array(Self.upgrade.utf8) + frame, piece: 1000)
        #expect(lines.last == "the server broke the protocol")
    }

    @Test func `bytes that are no HTTP break the protocol`() async throws {
        let lines = try await events(after: Array("SSH-2.0-OpenSSH_9.2\r\n\r\n".utf8), piece: 1000)
        #expect(lines == ["opened", "the server broke the protocol"])
    }
}
