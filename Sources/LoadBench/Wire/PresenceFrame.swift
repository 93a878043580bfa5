import CLoadLoop
import Glibc

/// A presence frame's news of the users that come and go for this tool.
package struct PresenceFrame: Equatable {
    package struct Event: Equatable {
        /// The churner's number, nil for any other user.
        package var churner: Int?
        package var isJoin: Bool

        package init(churner: Int?, isJoin: Bool) {
            self.churner = churner
            self.isJoin = isJoin
        }
    }

    /// The room's number, nil for another room than this run's.
    package var room: Int?
    /// The roster's version after the last event.
    package var version: UInt64
    /// The version before the frame, of which its events are then what is left; nil where each event is a step.
    package var from: UInt64?
    package var events: [Event]

    package static func name(ofChurner number: Int) -> String {
        "bench-c-" + Decimal.text(number, digits: RoomLayout.digits)
    }

    /// Reads a frame that begins as presence frames do; nil where its version or an event cannot be read.
    init?(_ text: UnsafeRawBufferPointer, _ reader: FrameReader) {
        guard let version = FrameReader.number(#""rosterVersion":"#, in: text) else { return nil }
        self.version = version
        from = FrameReader.number(#""from":"#, in: text)
        room = FrameReader.start(of: #""roomId":""#, in: text).flatMap { reader.room(in: text, at: $0) }
        events = []
        var rest = text
        while let start = FrameReader.start(of: #"{"event":""#, in: rest) {
            rest = UnsafeRawBufferPointer(rebasing: rest[start...])
            // Who stays neither comes nor goes.
            if FrameReader.begins(rest, #"update""#) { continue }
            let isJoin = FrameReader.begins(rest, #"join","userId":""#)
            guard isJoin || FrameReader.begins(rest, #"leave","userId":""#) else { return nil }
            let name = (isJoin ? #"join","userId":""# : #"leave","userId":""#).utf8.count
            events.append(Event(churner: PresenceFrame.churner(in: rest, at: name), isJoin: isJoin))
        }
    }

    private static func churner(in text: UnsafeRawBufferPointer, at start: Int) -> Int? {
        let prefix: StaticString = "bench-c-"
        let name = UnsafeRawBufferPointer(rebasing: text[start...])
        let end = prefix.utf8CodeUnitCount + RoomLayout.digits
        guard FrameReader.begins(name, prefix), name.count > end, name[end] == UInt8(ascii: "\"") else { return nil }
        return Decimal.read(name, at: prefix.utf8CodeUnitCount, digits: RoomLayout.digits).map { Int($0) }
    }
}
