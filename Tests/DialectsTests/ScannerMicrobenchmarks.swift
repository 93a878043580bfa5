import Dialects
import GatewayCore
import Testing
import TestSupport

@Suite(.enabled(if: Microbenchmark.rounds != nil), .serialized)
struct ScannerMicrobenchmarks {
    private static let request = Array(
        #"{"type":"message","id":7,"roomId":"lesson-7","msgType":1,"payload":"\#(String(repeating: "a", count: 128))"}"#
            .utf8)
    private static let document = Array(
        ("["
            + (0..<64).map { #"{"id":\#($0),"name":"member \#($0)","tags":["a","b"],"score":-1.5e3}"# }
            .joined(separator: ", ") + "]").utf8)

    @Test func scan() throws {
        try Microbenchmark.measure("scan \(Self.document.count) bytes of JSON", operations: 200) {
            try Self.document.withUnsafeBytes { bytes in
                var sum = 0
                for _ in 0..<200 {
                    var scanner = JSONScanner(bytes)
                    sum &+= try scanner.value().bytes.count
                }
                return sum
            }
        }
    }

    @Test func decodeRequest() throws {
        let dialect = NativeDialect()
        try Microbenchmark.measure("read a publish of 128 bytes", operations: 1000) {
            Self.request.withUnsafeBytes { bytes in
                (0..<1000).reduce(0) { sum, _ in
                    if case .success = dialect.decode(bytes) { sum + 1 } else { sum }
                }
            }
        }
    }

    @Test func encodeMessage() throws {
        let dialect = NativeDialect()
        let message = RoomMessage(
            room: RoomName(unchecked: "lesson-7"), userId: .system, msgType: 1,
            payload: Array("\"\(String(repeating: "a", count: 128))\"".utf8), timestamp: 1_700_000_000_000,
            position: Position(epoch: "e1", seq: 44))
        var bytes: [UInt8] = []
        try Microbenchmark.measure("write a message of 128 bytes", operations: 1000) {
            var sum = 0
            for _ in 0..<1000 {
                bytes.removeAll(keepingCapacity: true)
                dialect.encode(.message(message), into: &bytes)
                sum &+= bytes.count
            }
            return sum
        }
    }
}
