import Foundation
import LoadBench
import Testing

/// What a receiver makes of good and bad deliveries, frame by frame.
@Suite struct AudienceTests {
    private static let layout = RoomLayout(rooms: 2, publishers: 2, prefix: "bench-t-")
    private var audience = Audience(layout: layout, payloadBytes: 100)

    /// Streams 0 and 2 are in room 0, stream 1 in room 1; all begin after `seq` 10.
    init() {
        audience.reserve(streams: 3)
        for stream in 0..<3 { audience.enter(stream: stream, room: stream % 2, position: 10) }
    }

    private static func frame(
        room: Int = 0, named: Int? = nil, publisher: Int = 0, sequence: UInt32, number: UInt32 = 1, seq: Int
    ) -> [UInt8] {
        let envelope = Envelope(room: room, publisher: publisher, sequence: sequence, number: number, due: 1000)
        let name = "bench-t-000000\(named ?? room)"
        return Array(#"{"type":"message","roomId":"\#(name)","userId":"u","msgType":1,"payload":"#.utf8)
            + envelope.payload(bytes: 100) + Array(#","timestamp":1700000000000,"seq":\#(seq)}"#.utf8)
    }

    private mutating func receive(_ frame: [UInt8], stream: Int = 0) -> FrameReader.Reading? {
        frame.withUnsafeBytes { text in
            audience.receive(text, at: 3000) { $0 == stream % 2 ? stream : nil }
        }
    }

    @Test mutating func `what comes in order is counted and timed`() {
        for (sequence, seq) in [(UInt32(1), 11), (2, 12), (3, 13)] {
            #expect(receive(Self.frame(sequence: sequence, seq: seq)) == nil)
        }
        #expect(audience.tally.deliveries == 3)
        #expect(audience.tally.faults.isEmpty)
        #expect(audience.tally.latency.max == 2000)
    }

    /// As a member that speaks Pusher's protocol gets it.
    private static func appFrame(
        room: Int = 0, named: Int? = nil, sequence: UInt32, number: UInt32 = 1, rest: String = ""
    ) -> [UInt8] {
        let envelope = Envelope(room: room, publisher: 0, sequence: sequence, number: number, due: 1000)
        return Array(#"{"event":"message","channel":"bench-t-000000\#(named ?? room)","data":"#.utf8)
            + envelope.payload(bytes: 100) + Array("\(rest)}".utf8)
    }

    @Test mutating func `members that speak Pusher's protocol are in the same rooms, with no numbers to check`() {
        _ = receive(Self.frame(sequence: 1, number: 7, seq: 11), stream: 0)
        #expect(receive(Self.appFrame(sequence: 1, number: 7), stream: 2) == nil)
        #expect(audience.completed == [7])
        #expect(audience.tally.deliveries == 2)
        #expect(audience.tally.faults.isEmpty)
    }

    @Test mutating func `faults show in Pusher's frames as in native ones`() {
        _ = receive(Self.appFrame(sequence: 2))
        _ = receive(Self.appFrame(sequence: 1))
        _ = receive(Self.appFrame(sequence: 1))
        _ = receive(Self.appFrame(named: 1, sequence: 3))
        _ = receive(Self.appFrame(sequence: 3, rest: #","user_id":"u""#))
        _ = receive(Array(#"{"event":"message","channel":"bench-t-0000000","data":"?"}"#.utf8))
        #expect(audience.tally.late == 1)
        #expect(audience.tally.repeated == 1)
        #expect(audience.tally.damaged == 3)
    }

    @Test mutating func `what else an app's client is told is understood`() {
        let greeting = #"{"event":"pusher:connection_established","data":"{\"socket_id\":\"1.2\"}"}"#
        #expect(receive(Array(greeting.utf8)) == .welcome(session: "", isResumed: false, everyone: 0))
        let success = #"{"event":"pusher_internal:subscription_succeeded","channel":"bench-t-0000001","data":"{}"}"#
        let entry = FrameReader.Entry(room: 1, epoch: "", seq: 0, isRecovered: false)
        #expect(receive(Array(success.utf8)) == .joined(entry))
        let refusal = #"{"event":"pusher:subscription_error","channel":"c","data":{"error":"no","status":403}}"#
        #expect(receive(Array(refusal.utf8)) == .error(code: "subscription_error 403"))
        let error = #"{"event":"pusher:error","data":{"code":4301,"message":"slowly"}}"#
        #expect(receive(Array(error.utf8)) == .error(code: "pusher:error 4301"))
        #expect(receive(Array(#"{"event":"pusher:pong","data":{}}"#.utf8)) == .other)
    }

    @Test mutating func `a message is complete once every stream of its room has it`() {
        _ = receive(Self.frame(sequence: 1, number: 7, seq: 11), stream: 0)
        #expect(audience.completed.isEmpty)
        _ = receive(Self.frame(room: 1, publisher: 1, sequence: 1, number: 8, seq: 11), stream: 1)
        #expect(audience.completed == [8])
        _ = receive(Self.frame(sequence: 1, number: 7, seq: 11), stream: 2)
        #expect(audience.completed == [8, 7])
    }

    @Test mutating func `a repeat is told and not counted twice`() {
        _ = receive(Self.frame(sequence: 1, seq: 11))
        _ = receive(Self.frame(sequence: 1, seq: 11))
        #expect(audience.tally.deliveries == 1)
        #expect(audience.tally.faults == ["1 messages repeated"])
    }

    @Test mutating func `a message out of order is told`() {
        _ = receive(Self.frame(sequence: 2, seq: 12))
        _ = receive(Self.frame(sequence: 1, seq: 11))
        #expect(audience.tally.deliveries == 2)
        #expect(audience.tally.late == 1)
        #expect(audience.tally.misnumbered == 2)
    }

    @Test mutating func `a hole in the gateway's numbers is told`() {
        _ = receive(Self.frame(sequence: 1, seq: 12))
        #expect(audience.tally.faults == ["1 messages with another seq than the next"])
    }

    @Test mutating func `messages of another room, or of a publisher that does not serve it, are told`() {
        _ = receive(Self.frame(room: 1, publisher: 1, sequence: 1, seq: 11), stream: 0)
        _ = receive(Self.frame(room: 0, publisher: 1, sequence: 1, seq: 11), stream: 0)
        #expect(audience.tally.misplaced == 2)
        #expect(audience.tally.deliveries == 0)
    }

    @Test mutating func `a payload that came in another room's frame is damaged`() {
        _ = receive(Self.frame(room: 0, named: 1, sequence: 1, seq: 11))
        #expect(audience.tally.damaged == 1)
    }

    @Test func `no byte of a payload or of the room's name can change unnoticed`() throws {
        let frame = Self.frame(sequence: 1, seq: 11)
        let payload = try #require(String(decoding: frame, as: UTF8.self).range(of: "\"payload\":")).upperBound
        let start = String(decoding: frame, as: UTF8.self)[..<payload].utf8.count
        for place in Array(28..<43) + Array(start..<start + 100) {
            var broken = frame
            broken[place] ^= 1
            var fresh = AudienceTests()
            _ = fresh.receive(broken)
            let tally = fresh.audience.tally
            #expect(!tally.faults.isEmpty, "byte \(place)")
        }
    }

    @Test mutating func `frames that are no messages are handed back`() {
        func reading(_ text: String) -> FrameReader.Reading? { receive(Array(text.utf8)) }
        let welcome = #"{"type":"welcome","connectionId":"c","session":"17-ab","resumed":true,"heartbeat":30000}"#
        #expect(reading(welcome) == .welcome(session: "17-ab", isResumed: true, everyone: 0))
        let fresh =
            #"{"type":"welcome","session":"s","resumed":false,"positions":{"@u":{"epoch":"e","seq":3},"*":{"epoch":"e","seq":7}}}"#
        #expect(reading(fresh) == .welcome(session: "s", isResumed: false, everyone: 7))
        let joined = #"{"type":"joined","id":1,"roomId":"bench-t-0000001","epoch":"e","seq":43,"recovered":true}"#
        #expect(reading(joined) == .joined(.init(room: 1, epoch: "e", seq: 43, isRecovered: true)))
        let other = #"{"type":"joined","id":1,"roomId":"other","epoch":"e","seq":4,"recovered":false}"#
        #expect(reading(other) == .joined(.init(room: nil, epoch: "e", seq: 4, isRecovered: false)))
        let resumed =
            #"{"type":"resumed","id":1,"rooms":[{"roomId":"bench-t-0000000","epoch":"f","seq":9,"recovered":true}]}"#
        #expect(reading(resumed) == .resumed(.init(room: 0, epoch: "f", seq: 9, isRecovered: true)))
        #expect(
            reading(#"{"type":"resumed","id":1,"rooms":[{"roomId":"bench-t-0000000","code":"forbidden"}]}"#)
                == .error(code: "forbidden"))
        let error = #"{"type":"error","id":1,"code":"rate_limited","message":"m"}"#
        #expect(reading(error) == .error(code: "rate_limited"))
        #expect(reading(#"{"type":"gap","roomId":"r","epoch":"e","seq":1}"#) == .gap)
        #expect(reading(#"{"type":"presence","roomId":"r"}"#) == .presence)
        #expect(reading(#"{"type":"left","id":2,"roomId":"r"}"#) == .left)
        #expect(reading(#"{"type":"members","id":3,"roomId":"r","members":[],"count":12}"#) == .members(count: 12))
        #expect(reading(#"{"type":"status","userId":"a","online":true}"#) == .other)
        #expect(reading("") == .other)
    }

    @Test mutating func `a new run forgets what was counted but not where the gateway's numbers are`() {
        _ = receive(Self.frame(sequence: 1, seq: 11))
        audience.restart()
        #expect(audience.tally.deliveries == 0)
        _ = receive(Self.frame(sequence: 1, seq: 12))
        #expect(audience.tally.faults.isEmpty)
    }
}
