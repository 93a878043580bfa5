/// The frames of a member that speaks Pusher's protocol: they have no numbers, and names of rooms are names of channels.
extension FrameReader {
    /// A message without a name of its own.
    static let appOpening = Array(#"{"event":"message","channel":""#.utf8)
    private static let dataKey = Array(#"","data":"#.utf8)

    func appMessage(_ text: UnsafeRawBufferPointer) -> Reading {
        // Names of rooms are of one length, so that nothing has to be searched.
        let start = FrameReader.appOpening.count
        let key = start + roomPrefix.count + RoomLayout.digits
        let payload = key + FrameReader.dataKey.count
        guard FrameReader.stands(FrameReader.dataKey, in: text, at: key),
            text.count == payload + payloadBytes + 1, text.last == UInt8(ascii: "}"),
            let envelope = Envelope(text, at: payload, bytes: payloadBytes),
            room(in: text, at: start) == envelope.room
        else { return .damaged }
        return .message(envelope, seq: nil)
    }

    func appReply(_ text: UnsafeRawBufferPointer) -> Reading {
        if FrameReader.begins(text, #"{"event":"pusher:connection_established""#) {
            return .welcome(session: "", isResumed: false, everyone: 0)
        }
        if FrameReader.begins(text, #"{"event":"pusher_internal:subscription_succeeded""#) {
            let room = FrameReader.start(of: #""channel":""#, in: text).flatMap { self.room(in: text, at: $0) }
            return .joined(Entry(room: room, epoch: "", seq: 0, isRecovered: false))
        }
        if FrameReader.begins(text, #"{"event":"pusher:subscription_error""#) {
            let status = FrameReader.number(#""status":"#, in: text)
            return .error(code: "subscription_error \(status ?? 0)")
        }
        if FrameReader.begins(text, #"{"event":"pusher:error""#) {
            let code = FrameReader.number(#""code":"#, in: text)
            return .error(code: "pusher:error \(code ?? 0)")
        }
        return .other
    }
}
