import CLoadLoop
import Glibc

/// The frames that are no messages; rare enough to be searched field by field.
extension FrameReader {
    func reply(_ text: UnsafeRawBufferPointer) -> Reading {
        if FrameReader.begins(text, #"{"type":"presence""#) { return .presence }
        if FrameReader.begins(text, #"{"type":"welcome""#) {
            return .welcome(
                session: FrameReader.string(#""session":""#, in: text),
                isResumed: FrameReader.start(of: #""resumed":true"#, in: text) != nil,
                everyone: FrameReader.position(ofEveryoneIn: text))
        }
        if FrameReader.begins(text, #"{"type":"joined""#) { return .joined(entry(text)) }
        if FrameReader.begins(text, #"{"type":"resumed""#) {
            guard FrameReader.start(of: #""code":""#, in: text) == nil else {
                return .error(code: FrameReader.string(#""code":""#, in: text))
            }
            return .resumed(entry(text))
        }
        if FrameReader.begins(text, #"{"type":"left""#) { return .left }
        if FrameReader.begins(text, #"{"type":"members""#), let count = FrameReader.number(#""count":"#, in: text) {
            return .members(count: Int(clamping: count))
        }
        if FrameReader.begins(text, #"{"type":"error""#) {
            return .error(code: FrameReader.string(#""code":""#, in: text))
        }
        if FrameReader.begins(text, #"{"event":"pusher"#) { return appReply(text) }
        return FrameReader.begins(text, #"{"type":"gap""#) ? .gap : .other
    }

    private static func position(ofEveryoneIn text: UnsafeRawBufferPointer) -> UInt64 {
        guard let start = start(of: #""*":{"#, in: text) else { return 0 }
        return number(#""seq":"#, in: UnsafeRawBufferPointer(rebasing: text[start...])) ?? 0
    }

    private func entry(_ text: UnsafeRawBufferPointer) -> Entry {
        Entry(
            room: FrameReader.start(of: #""roomId":""#, in: text).flatMap { room(in: text, at: $0) },
            epoch: FrameReader.string(#""epoch":""#, in: text),
            seq: FrameReader.number(#""seq":"#, in: text) ?? 0,
            isRecovered: FrameReader.start(of: #""recovered":true"#, in: text) != nil,
            rosterVersion: FrameReader.number(#""rosterVersion":"#, in: text) ?? 0)
    }

    static func begins(_ text: UnsafeRawBufferPointer, _ opening: StaticString) -> Bool {
        guard let base = text.baseAddress, text.count >= opening.utf8CodeUnitCount else { return false }
        return memcmp(base, opening.utf8Start, opening.utf8CodeUnitCount) == 0
    }

    /// Where the text behind this one begins; nil where it does not stand.
    static func start(of key: StaticString, in text: UnsafeRawBufferPointer) -> Int? {
        let place = load_find(text.baseAddress, text.count, key.utf8Start, key.utf8CodeUnitCount)
        return place < text.count ? place + key.utf8CodeUnitCount : nil
    }

    /// The string behind a key that ends with its opening quote; names and codes hold no escapes.
    static func string(_ key: StaticString, in text: UnsafeRawBufferPointer) -> String {
        let start = start(of: key, in: text) ?? text.count
        return String(decoding: text[start...].prefix { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
    }

    static func number(_ key: StaticString, in text: UnsafeRawBufferPointer) -> UInt64? {
        guard let start = start(of: key, in: text) else { return nil }
        return Decimal.read(text, at: start, digits: text[start...].prefix { $0 &- UInt8(ascii: "0") < 10 }.count)
    }
}
