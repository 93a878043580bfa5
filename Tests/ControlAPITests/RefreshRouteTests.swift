import ControlAPI
import GatewayCore
import NIOHTTP1
import Synchronization
import Testing

@Suite struct RefreshRouteTests {
    /// Counts what it is told to.
    private final class FixedReview: RightsReview {
        let state = Mutex((asked: [UserID](), outage: BackendError?.none))

        func review(_ user: UserID) async throws(BackendError) -> Int {
            let outage = state.withLock { state in
                state.asked.append(user)
                return state.outage
            }
            if let outage { throw outage }
            return 2
        }
    }

    @Test func `a user's rights are asked for again, on all connections`() async throws {
        let review = FixedReview()
        try await Api.serve(rights: review) { api async throws in
            let answer = try await api.send(.POST, "/v1/users/al%2Fice/refresh")
            #expect(answer.status == 200 && answer.text == #"{"refreshed":2}"#)
            #expect(review.state.withLock { $0.asked } == [UserID(unchecked: "al/ice")])
            #expect(try await api.send(.POST, "/v1/users/system/refresh").status == 400)
            #expect(try await api.send(.GET, "/v1/users/alice/refresh").status == 405)
            #expect(try await api.send(.POST, "/v1/users/alice/refresh", key: nil).status == 401)
            review.state.withLock { $0.outage = .unavailable(reason: "a node is silent") }
            #expect(try await api.send(.POST, "/v1/users/alice/refresh").status == 503)
        }
    }

    @Test func `without a backend that is asked there is nothing to ask`() async throws {
        try await Api.serve { api async throws in
            let answer = try await api.send(.POST, "/v1/users/alice/refresh")
            #expect(answer.status == 404 && answer.text.contains("hooks.authorize.url"))
        }
    }

    @Test func `it takes a key that moderates`() async throws {
        let keys = [
            BackendKey(name: "reader", key: "reader-0123456789abcdef", scopes: [.read], rooms: nil, perSecond: nil),
            BackendKey(name: "guard", key: "guard-0123456789abcdef", scopes: [.moderate], rooms: nil, perSecond: nil),
        ]
        try await Api.serve(named: keys, rights: FixedReview()) { api async throws in
            let path = "/v1/users/alice/refresh"
            #expect(try await api.send(.POST, path, key: "reader-0123456789abcdef").status == 403)
            #expect(try await api.send(.POST, path, key: "guard-0123456789abcdef").status == 200)
            #expect(api.lines.text.contains("alice"))
        }
    }
}
