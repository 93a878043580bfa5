import NIOCore
import NIOPosix
import RedisClient
import TestKit
import Testing

private enum Event: Sendable, Hashable {
    case connected(afterBreak: Bool)
    case lost
    case subscribed(String)
    case message(String, String)
    case readComplete
}

private final class EventLog: RedisSubscriptionHandler {
    private let recorder = Recorder<Event>()

    /// All but the ends of read turns.
    var events: [Event] { recorder.all.filter { $0 != .readComplete } }
    var everything: [Event] { recorder.all }

    func until(_ condition: @escaping @Sendable ([Event]) -> Bool) async throws {
        try await recorder.until(condition)
    }

    func subscriptionConnected(_ slots: SlotGroup, afterBreak: Bool) {
        recorder.record(.connected(afterBreak: afterBreak))
    }

    func subscriptionLost(_ slots: SlotGroup) {
        recorder.record(.lost)
    }

    func subscribed(channel: String) {
        recorder.record(.subscribed(channel))
    }

    func received(channel: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
        recorder.record(.message(String(decoding: channel, as: UTF8.self), String(decoding: payload, as: UTF8.self)))
    }

    func readComplete() {
        recorder.record(.readComplete)
    }
}

private func withSubscriber(
    _ configuration: RedisConfiguration, _ body: (RedisSubscriber, EventLog) async throws -> Void
) async throws {
    let log = EventLog()
    let subscriber = RedisSubscriber(
        configuration: configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next(), logger: .silent,
        handler: log)
    do {
        try await body(subscriber, log)
    } catch {
        try await subscriber.shutdown().get()
        throw error
    }
    try await subscriber.shutdown().get()
}

@Suite(.timeLimit(.minutes(2))) struct RedisSubscriberTests {
    @Test func `messages of wanted channels arrive in order, byte for byte, and turns have an end`() async throws {
        let server = try RedisServerProcess()
        let configuration = RedisConfiguration(socket: server.socketPath)
        try await withSubscriber(configuration) { subscriber, log in
            subscriber.subscribe(["a", "b"])
            subscriber.start()
            try await log.until { $0.contains(.connected(afterBreak: false)) }
            #expect(Set(log.events.prefix(2)) == [.subscribed("a"), .subscribed("b")])
            try await withLink(configuration) { link, _ in
                for number in 0..<500 {
                    link.send(["PUBLISH", .string(number % 2 == 0 ? "a" : "b"), .string("\(number)")]) { _ in }
                }
                _ = try await link.send(["PUBLISH", "c", "not wanted"])
            }
            try await log.until { events in events.count { if case .message = $0 { true } else { false } } == 500 }
            #expect(log.events.suffix(500) == (0..<500).map { .message($0 % 2 == 0 ? "a" : "b", "\($0)") })
            try await log.until { $0.last == .readComplete }
        }
    }

    @Test func `channels come and go on a living connection, and each is confirmed`() async throws {
        let server = try RedisServerProcess()
        try await withSubscriber(RedisConfiguration(socket: server.socketPath)) { subscriber, log in
            subscriber.start()
            try await log.until { $0.contains(.connected(afterBreak: false)) }
            let many = (0..<1200).map { "channel-\($0)" }
            subscriber.subscribe(many)
            try await log.until { $0.contains(.subscribed("channel-1199")) }
            #expect(try await server.cli("PUBSUB", "CHANNELS").split(separator: "\n").count == 1200)
            subscriber.unsubscribe(Array(many.dropFirst()))
            subscriber.subscribe(["last", "channel-0"])
            try await log.until { $0.contains(.subscribed("last")) && $0.count { $0 == .subscribed("channel-0") } == 2 }
            let left = try await server.cli("PUBSUB", "CHANNELS").split(separator: "\n")
            #expect(Set(left) == ["last", "channel-0"])
        }
    }

    @Test func `after a restart of Redis everything is subscribed again, and the break is told`() async throws {
        let server = try RedisServerProcess()
        try await withSubscriber(RedisConfiguration(socket: server.socketPath)) { subscriber, log in
            subscriber.subscribe(["a", "b"])
            subscriber.start()
            try await log.until { $0.contains(.connected(afterBreak: false)) }
            server.kill9()
            try await log.until { $0.contains(.lost) }
            subscriber.unsubscribe(["b"])
            subscriber.subscribe(["c"])
            try server.restart(keepingData: false)
            try await log.until { $0.contains(.connected(afterBreak: true)) }
            let channels = try await server.cli("PUBSUB", "CHANNELS").split(separator: "\n")
            #expect(Set(channels) == ["a", "c"])
            let back = log.events.drop { $0 != .lost }
            #expect(Set(back) == [.lost, .subscribed("a"), .subscribed("c"), .connected(afterBreak: true)])
            #expect(back.last == .connected(afterBreak: true))
            #expect(try await server.cli("PUBLISH", "c", "hello") == "1")
            try await log.until { $0.contains(.message("c", "hello")) }
        }
    }

    @Test func `a connection that has died without a word is found by its ping`() async throws {
        let server = try RedisServerProcess()
        let proxy = try await FaultProxy.start(target: .unix(path: server.socketPath))
        var configuration = RedisConfiguration(port: proxy.port)
        configuration.pingInterval = .milliseconds(100)
        configuration.pingTimeout = .milliseconds(300)
        configuration.connectTimeout = .milliseconds(300)
        try await withSubscriber(configuration) { subscriber, log in
            subscriber.subscribe(["a"])
            subscriber.start()
            try await log.until { $0.contains(.connected(afterBreak: false)) }
            try await proxy.treat(.toClient, .drop)
            try await log.until { $0.contains(.lost) }
            try await proxy.treat(.toClient, .pass)
            try await log.until { $0.contains(.connected(afterBreak: true)) }
        }
        try await proxy.stop()
    }

    @Test func `a quiet connection stays up on its pings`() async throws {
        let server = try RedisServerProcess()
        var configuration = RedisConfiguration(socket: server.socketPath)
        configuration.pingInterval = .milliseconds(10)
        configuration.pingTimeout = .seconds(30)
        try await withSubscriber(configuration) { subscriber, log in
            subscriber.subscribe(["a"])
            subscriber.start()
            // Each pong ends a read turn.
            try await log.until { $0.count { $0 == .readComplete } >= 5 }
            #expect(!log.events.contains(.lost))
        }
    }

    @Test func `a password is used, and a wrong one never connects`() async throws {
        var options = RedisServerProcess.Options()
        options.password = "sesame"
        let server = try RedisServerProcess(options)
        try await withSubscriber(try RedisConfiguration(url: server.url)) { subscriber, log in
            subscriber.start()
            try await log.until { $0.contains(.connected(afterBreak: false)) }
        }
    }

    @Test func `after the shutdown the handler hears nothing and Redis has one client less`() async throws {
        let server = try RedisServerProcess()
        let log = EventLog()
        let subscriber = RedisSubscriber(
            configuration: RedisConfiguration(socket: server.socketPath),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(), logger: .silent, handler: log)
        subscriber.subscribe(["a"])
        subscriber.start()
        try await log.until { $0.contains(.connected(afterBreak: false)) }
        try await subscriber.shutdown().get()
        let count = log.everything.count
        while try await server.cli("PUBSUB", "NUMSUB", "a") != "a\n0" {}
        #expect(log.everything.count == count)
    }
}
