import Foundation
import GatewayCore
import Testing

@Suite("What a backend that tries again and again writes into the log")
struct WarningRateTests {
    @Test func `a store that is away is one line a second, however often it is asked`() async throws {
        try await Api.serve { api in
            api.log.fail(all: .unavailable(reason: "away"))
            let began = ContinuousClock.now
            for _ in 0..<200 {
                let answer = try await api.send(.POST, "/v1/broadcast", #"{"to":{"rooms":["r"]},"payload":1}"#)
                #expect(answer.status == 503)
            }
            let seconds = Int((ContinuousClock.now - began) / .seconds(1)) + 1
            let lines = api.lines.text.split(separator: "\n").filter { $0.contains("Broadcasts could not be stored") }
            #expect((1...seconds).contains(lines.count))
            #expect(lines.first?.contains(#""count": 1"#) == true, "\(lines)")
        }
    }
}
