import RedisClient
import Testing
import TestSupport

@Suite(.enabled(if: Microbenchmark.rounds != nil), .serialized)
struct ReaderMicrobenchmarks {
    private func read(_ name: String, _ reply: String, test: String = #function) throws {
        let reader = try #require(ReplyReader(maxReplyBytes: 1 << 20))
        // What one read of the socket brings: 64 replies.
        let chunk = Array(String(repeating: reply, count: 64).utf8)
        try Microbenchmark.measure(name, operations: 64 * 50, test: test) {
            var replies = 0
            for _ in 0..<50 {
                try chunk.withUnsafeBytes { bytes in
                    try reader.read(bytes) { reply in
                        replies += reply.copied().isError ? 0 : 1
                        return true
                    }
                }
            }
            return replies
        }
    }

    @Test func readMessage() throws {
        let payload = String(repeating: "a", count: 200)
        try read(
            "read a subscribed message of 200 bytes",
            "*3\r\n$7\r\nmessage\r\n$16\r\nm:{mm}:room:room\r\n$200\r\n\(payload)\r\n")
    }

    @Test func readPublished() throws {
        try read("read the answer of a publish", "*3\r\n:44\r\n:1700000000000\r\n$8\r\ne1234567\r\n")
    }
}
