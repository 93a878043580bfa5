import Dialects
import Foundation
import MartletClient
import NIOCore
import NIOPosix
import Synchronization
import TestKit
import TestSupport

/// A client of an app that speaks Pusher's protocol and writes down every frame; it is its own backend, and signs.
final class PusherClient: Sendable {
    static let secret = "0123456789abcdef0123"
    static let environment = [
        "MARTLET_PUSHER_APP_ID": "1", "MARTLET_PUSHER_KEY": "key", "MARTLET_PUSHER_SECRET": secret,
    ]

    let socketID: String
    private let key: String
    private let secret: String
    private let connection: WebSocketConnection
    private let notes: Notes
    private let node: NodeProcess

    /// Connects and waits for the greeting.
    static func connect(
        to node: NodeProcess, key: String = "key", secret: String = secret
    ) async throws -> PusherClient {
        let notes = Notes()
        let connection = try await WebSocketConnection.connect(
            WebSocketConfiguration(
                host: "127.0.0.1", port: node.clientPort, path: "/app/\(key)?protocol=7&client=js&version=8.4.0"),
            on: MultiThreadedEventLoopGroup.singleton
        ) { _, event in notes.take(event) }
        try await eventually("the greeting") { !notes.frames.isEmpty || notes.end != nil }
        guard let greeting = notes.frames.first, greeting.event == "pusher:connection_established",
            let socketID = greeting.data["socket_id"] as? String
        else { throw NeverHappened(description: "not let in: \(notes.frames) \(String(describing: notes.end))") }
        return PusherClient(socketID, (key, secret), connection, notes, node)
    }

    private init(
        _ socketID: String, _ app: (key: String, secret: String), _ connection: WebSocketConnection, _ notes: Notes,
        _ node: NodeProcess
    ) {
        self.socketID = socketID
        (key, secret) = app
        self.connection = connection
        self.notes = notes
        self.node = node
    }

    deinit { connection.drop() }

    // MARK: What came

    var frames: [PusherEvent] { notes.frames }
    var isOpen: Bool { notes.end == nil }

    /// Returns the code when it has been closed.
    func closed() async -> UInt16? { await connection.ended().code }

    func frames(_ event: String, on channel: String) -> [PusherEvent] {
        frames.filter { $0.text.contains(event) && $0.event == event && $0.channel == channel }
    }

    /// The first frame that fits, come or to come.
    @discardableResult
    func frame(
        _ event: String, on channel: String? = nil,
        where fits: @escaping @Sendable (PusherEvent) -> Bool = { _ in true }
    ) async throws -> PusherEvent {
        let isIt: @Sendable (PusherEvent) -> Bool = { $0.event == event && $0.channel == channel && fits($0) }
        try await eventually("\(event) on \(channel ?? "no channel")") {
            self.frames.contains(where: isIt) || !self.isOpen
        }
        guard let frame = frames.first(where: isIt) else {
            throw NeverHappened(description: "\(event) did not come before the end: \(frames)")
        }
        return frame
    }

    /// Who is there by what was told of a presence channel.
    func members(of channel: String) -> Set<String> {
        var members: Set<String> = []
        // Most frames are others, and long to read.
        for frame in frames where frame.text.contains("pusher_internal:") && frame.channel == channel {
            switch frame.event {
            case "pusher_internal:subscription_succeeded":
                let presence = frame.data["presence"] as? [String: Any]
                members = Set(presence?["ids"] as? [String] ?? [])
            case "pusher_internal:member_added": members.insert(frame.data["user_id"] as? String ?? "")
            case "pusher_internal:member_removed": members.remove(frame.data["user_id"] as? String ?? "")
            default: break
            }
        }
        return members
    }

    // MARK: What it does

    func send(_ text: String) { connection.send(text: text) }

    func ask(_ channel: String, as user: String? = nil, info: String = "{}") {
        let data = user.map { #"{"user_id":"\#($0)","user_info":\#(info)}"# }
        let text = "\(socketID):\(channel)" + (data.map { ":" + $0 } ?? "")
        let auth = "\(key):" + PusherSignature.sign(text.utf8, secret: secret)
        let quoted = data.map { #","channel_data":\#(quote($0))"# } ?? ""
        send(#"{"event":"pusher:subscribe","data":{"channel":"\#(channel)","auth":"\#(auth)"\#(quoted)}}"#)
    }

    func subscribe(_ channel: String, as user: String? = nil, info: String = "{}") async throws {
        ask(channel, as: user, info: info)
        try await frame("pusher_internal:subscription_succeeded", on: channel)
    }

    func signIn(as user: String) async throws {
        let data = #"{"id":"\#(user)"}"#
        let auth = PusherSignature.sign("\(socketID)::user::\(data)".utf8, secret: secret)
        send(#"{"event":"pusher:signin","data":{"auth":"\#(key):\#(auth)","user_data":\#(quote(data))}}"#)
        try await frame("pusher:signin_success")
    }

    func unsubscribe(_ channel: String) { send(#"{"event":"pusher:unsubscribe","data":{"channel":"\#(channel)"}}"#) }
    func close() { connection.close(code: 1000) }
    func abort() { connection.abort() }

    private func quote(_ text: String) -> String {
        var bytes: [UInt8] = []
        JSONWriter.append(string: text, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What a connection's loop writes and a test reads.
    private final class Notes: Sendable {
        private let state = Mutex((frames: [PusherEvent](), end: WebSocketEnd?.none))

        var frames: [PusherEvent] { state.withLock { $0.frames } }
        var end: WebSocketEnd? { state.withLock { $0.end } }

        func take(_ event: WebSocketEvent) {
            state.withLock { state in
                switch event {
                case .text(let bytes): state.frames.append(PusherEvent(text: String(buffer: bytes)))
                case .ended(let end): state.end = end
                case .binary, .ping, .pong: break
                }
            }
        }
    }
}

/// One frame to an app's client.
struct PusherEvent: Sendable, CustomStringConvertible {
    let text: String

    var description: String { text }
    private var fields: [String: Any] { PusherEvent.object(text) }
    var event: String { fields["event"] as? String ?? "" }
    var channel: String? { fields["channel"] as? String }
    var user: String? { fields["user_id"] as? String }
    /// `data` as it was sent, where it is a string.
    var string: String? { fields["data"] as? String }
    /// `data`, whether it is an object or a string that holds one.
    var data: [String: Any] { fields["data"] as? [String: Any] ?? string.map(PusherEvent.object) ?? [:] }

    private static func object(_ text: String) -> [String: Any] {
        (try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]) ?? [:]  // No object has no fields.
    }
}
