import ControlAPI
import GatewayCore
import Testing

/// Bans of addresses by REST.
@Suite struct AddressBanRouteTests {
    private static let path = "/v1/addresses/bans"

    @Test func `a range is banned, listed in its plain form, and let in again`() async throws {
        try await Api.serve { api async throws in
            let put = try await api.send(
                .PUT, AddressBanRouteTests.path, #"{"cidr":"203.0.113.77/24","seconds":60,"reason":"floods \"us\""}"#)
            let ban = #"{"cidr":"203.0.113.0/24","until":1700000060000,"reason":"floods \"us\""}"#
            #expect(put.status == 200 && put.text == ban)
            let list = try await api.send(.GET, AddressBanRouteTests.path)
            #expect(list.status == 200 && list.text == #"{"bans":[\#(ban)],"total":1}"#)
            let other = try await api.send(.DELETE, AddressBanRouteTests.path + "?cidr=203.0.113.0/25")
            #expect(other.status == 404)
            let lift = try await api.send(.DELETE, AddressBanRouteTests.path + "?cidr=203.0.113.9%2F24")
            #expect(lift.status == 200 && lift.text == #"{"cidr":"203.0.113.0/24"}"#)
            #expect(try await api.send(.GET, AddressBanRouteTests.path).text == #"{"bans":[],"total":0}"#)
        }
    }

    @Test func `a single address of either kind can be banned, and the reason be left out`() async throws {
        try await Api.serve { api async throws in
            for (cidr, shown) in [
                ("192.0.2.1/32", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:DB8::1", "2001:db8::1"),
                ("2001:db8::1/64", "2001:db8::/64"),
            ] {
                let put = try await api.send(.PUT, AddressBanRouteTests.path, #"{"cidr":"\#(cidr)","seconds":1}"#)
                #expect(put.text == #"{"cidr":"\#(shown)","until":1700000001000,"reason":""}"#)
            }
        }
    }

    @Test(arguments: [
        (#"{"seconds":1}"#, "cidr: missing"), (#"{"cidr":"a.example","seconds":1}"#, "cidr: must be"),
        (#"{"cidr":"10.0.0.0/33","seconds":1}"#, "cidr: must be"), (#"{"cidr":1,"seconds":1}"#, "cidr: must be"),
        (#"{"cidr":"10.0.0.1"}"#, "seconds: must be"), (#"{"cidr":"10.0.0.1","seconds":0}"#, "seconds: must be"),
        (#"{"cidr":"10.0.0.1","seconds":1.5}"#, "seconds: must be"),
        (#"{"cidr":"10.0.0.1","seconds":31536001}"#, "seconds: must be"),
        (#"{"cidr":"10.0.0.1","seconds":1,"reason":"a\nb"}"#, "reason: must be"),
    ])
    func `what is wrong with an order is told by the field`(_ body: String, _ message: String) async throws {
        try await Api.serve { api async throws in
            let answer = try await api.send(.PUT, AddressBanRouteTests.path, body)
            #expect(answer.status == 400)
            #expect(answer.text.hasPrefix(#"{"error":{"code":"bad_request","message":"\#(message)"#))
            #expect(api.bans.state.withLock { $0.bans.isEmpty })
        }
    }

    @Test func `a list goes on behind its cursor`() async throws {
        try await Api.serve { api async throws in
            for number in 1...5 {
                _ = try await api.send(
                    .PUT, AddressBanRouteTests.path, #"{"cidr":"192.0.2.\#(number)","seconds":1}"#)
            }
            let first = try await api.send(.GET, AddressBanRouteTests.path + "?limit=3").text
            #expect(first.ranges(of: "cidr").count == 3 && first.hasSuffix(#"],"next":"192.0.2.3","total":5}"#))
            let rest = try await api.send(.GET, AddressBanRouteTests.path + "?limit=3&cursor=192.0.2.3").text
            #expect(rest.hasPrefix(#"{"bans":[{"cidr":"192.0.2.4""#) && rest.hasSuffix(#"],"total":5}"#))
        }
    }

    @Test func `too many bans are a conflict, and a store that is away is 503`() async throws {
        try await Api.serve { api async throws in
            api.bans.state.withLock { $0.isFull = true }
            let full = try await api.send(.PUT, AddressBanRouteTests.path, #"{"cidr":"192.0.2.1","seconds":1}"#)
            #expect(full.status == 409 && full.text.hasPrefix(#"{"error":{"code":"conflict""#))
            api.bans.state.withLock { $0.outage = .unavailable(reason: "away") }
            for answer in [
                try await api.send(.PUT, AddressBanRouteTests.path, #"{"cidr":"192.0.2.1","seconds":1}"#),
                try await api.send(.GET, AddressBanRouteTests.path),
                try await api.send(.DELETE, AddressBanRouteTests.path + "?cidr=192.0.2.1"),
            ] {
                #expect(answer.status == 503)
            }
        }
    }

    @Test func `other methods are 405 and told which there are`() async throws {
        try await Api.serve { api async throws in
            let answer = try await api.send(.POST, AddressBanRouteTests.path, "{}")
            #expect(answer.status == 405 && answer.headers["Allow"] == ["GET, HEAD, PUT, DELETE"])
        }
    }
}
