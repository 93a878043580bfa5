import GatewayCore

/// Messages whose payloads were taken away, as the room's channel tells it: `x epoch 1 seq,seq`; 0 in place of 1 where they
/// are of a count that was before the room's present one.
struct RedactionMessage {
    let epoch: String
    let isPresent: Bool
    let seqs: [Int]

    static func isOne(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count > 1 && bytes[0] == UInt8(ascii: "x") && bytes[1] == UInt8(ascii: " ")
    }

    /// Nil where the bytes are not what `redact` sends.
    init?(_ bytes: UnsafeRawBufferPointer) {
        var fields = SpacedFields(bytes)
        guard fields.word() != nil, let epoch = fields.word(), let isPresent = fields.integer() else { return nil }
        self.init(epoch: epoch, isPresent: isPresent == 1, seqs: fields.rest)
    }

    init?(epoch: UnsafeRawBufferPointer, isPresent: Bool, seqs: UnsafeRawBufferPointer) {
        let numbers = String(decoding: seqs, as: UTF8.self).split(separator: ",").map { Int($0) }
        guard !numbers.isEmpty, numbers.allSatisfy({ $0 != nil }) else { return nil }
        self.epoch = String(decoding: epoch, as: UTF8.self)
        self.isPresent = isPresent
        self.seqs = numbers.compactMap(\.self)
    }

    func redaction(in room: RoomName) -> Redaction {
        Redaction(room: room, epoch: epoch, isPresent: isPresent, seqs: seqs)
    }
}
