import GatewayCore
import RedisBackend
import TestKit
import Testing
import TestSupport

/// Signals over a link that breaks.
@Suite("Signals behind a break")
struct SignalFaults {
    @Test func `one whose answer is lost comes once, and its sender is told that this is not known`() async throws {
        let redis = try RedisServerProcess()
        let settings = PresenceSettings.brisk(lease: .seconds(3))
        let sender = try await PresenceNode.start("n1", on: redis, settings: settings)
        let receiver = try await PresenceNode.start("n2", on: redis, settings: settings)
        try await sender.connect("c1", "alice")
        try await receiver.connect("c2", "bob")
        try await sender.join("call", "c1")
        try await receiver.join("call", "c2")
        let (alice, bob) = (UserID(unchecked: "alice"), UserID(unchecked: "bob"))
        func signal(_ text: String) -> Signal {
            Signal(room: RoomName(unchecked: "call"), from: alice, to: bob, payload: Array(text.utf8))
        }
        try await sender.proxy.treat(.toClient, .hold)
        let first = signal(#""offer""#)
        let offer = Task { try await sender.signal(first, "c1") }
        try await eventually("the offer") { receiver.signals.count == 1 }
        try await sender.proxy.cutAll()
        try await sender.proxy.treat(.toClient, .pass)
        await #expect { try await offer.value } throws: { error in
            if case .backend(.unavailable) = error as? SignalError { true } else { false }
        }
        // What is passed on now comes behind whatever the break has left.
        try await sender.signal(signal(#""again""#), "c1")
        try await eventually("the next") { receiver.signals.last?.payload == Array(#""again""#.utf8) }
        #expect(receiver.signals.map { String(decoding: $0.payload, as: UTF8.self) } == [#""offer""#, #""again""#])
        try await sender.stop()
        try await receiver.stop()
        redis.kill9()
    }
}
