import ControlAPI
import GatewayCore
import Synchronization
import Testing

@Suite struct WebhookRouteTests {
    @Test func `each receiver is shown without what may be secret in its URL`() async throws {
        let directory = FixedWebhooks()
        try await Api.serve(webhooks: directory) { api async throws in
            let answer = try await api.send(.GET, "/v1/webhooks")
            #expect(
                answer.text == """
                    {"webhooks":[{"url":"https://a.example/hooks","types":["user.offline","user.online"],"lag":3,\
                    "oldest":1700000000000,"deadLetters":2,"givenUp":4,"lost":5,"replaying":true,"lastSent":7,\
                    "lastError":{"message":"the receiver answered 500","timestamp":6}}],"total":1}
                    """)
            #expect(try await api.send(.POST, "/v1/webhooks").status == 405)
        }
    }

    @Test func `a replay begins at a time or an event, for all types or some, for all URLs or one`() async throws {
        let directory = FixedWebhooks()
        try await Api.serve(webhooks: directory) { api async throws in
            for body in [
                #"{"from":5}"#, #"{"from":"17-5-0-ab","types":["user.offline"]}"#,
                #"{"from":0,"types":[],"url":"https://a.example/"}"#,
            ] {
                let answer = try await api.send(.POST, "/v1/webhooks/replay", body)
                #expect(answer.status == 200 && answer.text == #"{"webhooks":1}"#)
            }
        }
        #expect(
            directory.orders.withLock { $0 } == [
                ReplayOrder(start: .time(5)),
                ReplayOrder(start: .event("17-5-0-ab"), types: ["user.offline"]),
                ReplayOrder(start: .time(0), url: "https://a.example/"),
            ])
    }

    @Test(arguments: [
        "{}", #"{"from":-1}"#, #"{"from":"yesterday"}"#, #"{"from":"1-2-3"}"#, #"{"from":"1-2-x-ab"}"#,
        #"{"from":1,"types":"user.online"}"#, #"{"from":1,"types":["user.gone"]}"#, #"{"from":1,"url":3}"#, "[]", "",
    ])
    func `a replay that says nothing clear is refused`(body: String) async throws {
        let directory = FixedWebhooks()
        try await Api.serve(webhooks: directory) { api async throws in
            #expect(try await api.send(.POST, "/v1/webhooks/replay", body).status == 400)
        }
        #expect(directory.orders.withLock { $0 }.isEmpty)
    }

    @Test func `without receivers the list is empty and a replay finds nobody`() async throws {
        try await Api.serve { api async throws in
            #expect(try await api.send(.GET, "/v1/webhooks").text == #"{"webhooks":[],"total":0}"#)
            #expect(try await api.send(.POST, "/v1/webhooks/replay", #"{"from":0}"#).status == 404)
        }
    }
}

/// One receiver that fares badly.
private final class FixedWebhooks: WebhookDirectory {
    let orders = Mutex<[ReplayOrder]>([])

    func webhooks() async throws(BackendError) -> [WebhookStatus] {
        var status = WebhookStatus(
            receiver: WebhookReceiver(
                name: "hook-a", url: "https://user:pw@a.example/hooks?token=x", types: ["user.online", "user.offline"]))
        status.lag = 3
        status.oldest = 1_700_000_000_000
        status.deadLetters = 2
        status.givenUp = 4
        status.lost = 5
        status.replaying = 1
        status.lastSent = 7
        status.lastError = WebhookStatus.Problem(timestamp: 6, message: "the receiver answered 500")
        return [status]
    }

    func replay(_ order: ReplayOrder) async throws(BackendError) -> Int {
        orders.withLock { $0.append(order) }
        return 1
    }
}
