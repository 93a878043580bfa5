import ControlAPI
import GatewayCore
import Testing

/// Who costs most, by REST.
@Suite struct TopRouteTests {
    private static func spender(_ name: String, _ bytesIn: Int, _ bytesOut: Int, _ redis: Int, _ cpu: Int) -> Spender {
        Spender(
            name: name,
            spending: Spending(
                bytesIn: bytesIn, bytesOut: bytesOut, redisNanoseconds: redis, processorNanoseconds: cpu))
    }

    @Test func `each measure has its own order, and each kind its own name`() async throws {
        try await Api.serve { api async throws in
            api.spenders.spenders.withLock {
                $0[.users] = [
                    TopRouteTests.spender("alice", 1, 20, 3_000_000, 0),
                    TopRouteTests.spender("b\"ob", 2, 10, 0, 4_500),
                ]
                $0[.rooms] = [TopRouteTests.spender("lobby", 1, 1, 1, 1)]
                $0[.addresses] = [TopRouteTests.spender("192.0.2.1", 1, 1, 1, 1)]
            }
            let alice = #"{"userId":"alice","bytesIn":1,"bytesOut":20,"redis":3.000,"cpu":0.000}"#
            let bob = #"{"userId":"b\"ob","bytesIn":2,"bytesOut":10,"redis":0.000,"cpu":0.005}"#
            for (by, expected) in [
                ("bytesIn", "\(bob),\(alice)"), ("bytesOut", "\(alice),\(bob)"), ("redis", alice), ("cpu", bob),
            ] {
                let answer = try await api.send(.GET, "/v1/top?by=\(by)&of=users")
                #expect(answer.status == 200 && answer.text == #"{"top":[\#(expected)]}"#)
            }
            #expect(try await api.send(.GET, "/v1/top").text == #"{"top":[\#(bob)]}"#)
            let rooms = try await api.send(.GET, "/v1/top?by=bytesIn&of=rooms").text
            #expect(rooms.hasPrefix(#"{"top":[{"roomId":"lobby","bytesIn":1"#))
            let addresses = try await api.send(.GET, "/v1/top?by=redis&of=addresses").text
            #expect(addresses.hasPrefix(#"{"top":[{"address":"192.0.2.1","#))
        }
    }

    @Test func `fifty are told at most, and other words are 400`() async throws {
        try await Api.serve { api async throws in
            api.spenders.spenders.withLock {
                $0[.users] = (1...60).map { TopRouteTests.spender("u\($0)", $0, 0, 0, 0) }
            }
            let text = try await api.send(.GET, "/v1/top?by=bytesIn").text
            #expect(text.ranges(of: "userId").count == 50 && text.hasPrefix(#"{"top":[{"userId":"u60""#))
            for query in ["by=bytes", "of=nodes", "by=", "by=cpu&by=cpu"] {
                #expect(try await api.send(.GET, "/v1/top?\(query)").status == 400)
            }
        }
    }
}
