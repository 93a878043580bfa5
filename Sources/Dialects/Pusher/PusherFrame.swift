import GatewayCore

/// One frame from a client of an app, taken apart.
struct PusherFrame {
    var event = ""
    var channel: String?
    /// One JSON value, byte for byte; nil where there is none.
    var data: [UInt8]?

    /// Nil where it is not one JSON object with an event's name.
    init?(_ frame: UnsafeRawBufferPointer) {
        var scanner = JSONScanner(frame)
        do throws(JSONError) {
            var key = try scanner.firstKey()
            while let name = key {
                let value = try scanner.value()
                if name.equals("event") {
                    guard let text = value.string?.text else { return nil }
                    event = text
                } else if name.equals("channel") {
                    channel = value.string?.text
                } else if name.equals("data") {
                    data = [UInt8](value.bytes)
                }
                key = try scanner.nextKey()
            }
            try scanner.end()
        } catch {
            return nil
        }
        guard !event.isEmpty else { return nil }
    }

    /// The fields of `data`, whether it is an object or a string that holds one.
    var fields: PusherFields { PusherFields(data ?? []) }
}

/// The fields of one JSON object; of one that comes twice the last counts, as everywhere in JavaScript.
struct PusherFields {
    private var values: [String: [UInt8]] = [:]
    private var texts: [String: String] = [:]
    private var numbers: Set<String> = []

    private static let mostFields = 16

    /// Empty where it is neither an object nor a string that holds one.
    init(_ json: [UInt8]) {
        var inner: [UInt8]?
        json.withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes)
            if scanner.isAtObject() { return read(bytes) }
            do throws(JSONError) {
                inner = try scanner.value().string?.text.map { Array($0.utf8) }
            } catch {
                inner = nil
            }
        }
        inner?.withUnsafeBytes { read($0) }
    }

    private mutating func read(_ bytes: UnsafeRawBufferPointer) {
        var scanner = JSONScanner(bytes)
        var found = self
        do throws(JSONError) {
            var key = try scanner.firstKey()
            while let name = key, found.values.count < PusherFields.mostFields {
                let value = try scanner.value()
                if let name = name.text {
                    found.values[name] = [UInt8](value.bytes)
                    found.texts[name] = value.string?.text
                    found.numbers.remove(name)
                    if case .number(isInteger: true) = value.kind { found.numbers.insert(name) }
                }
                key = try scanner.nextKey()
            }
        } catch {
            return
        }
        self = found
    }

    /// Of a field that is a string.
    func text(_ name: String) -> String? { texts[name] }

    /// Of a field that is a string or a whole number, such as a user's id.
    func name(_ name: String) -> String? {
        if let text = texts[name] { return text }
        guard numbers.contains(name), let digits = values[name] else { return nil }
        return String(decoding: digits, as: UTF8.self)
    }

    /// The first strings in a field that is an array.
    func texts(in name: String, upTo count: Int) -> [String] {
        values[name]?.withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes)
            let elements = try? scanner.value().elements(upTo: count)  // It was read once already.
            return (elements ?? []).prefix(count).compactMap { $0.string?.text }
        } ?? []
    }

    /// The field as it stands.
    func json(_ name: String) -> [UInt8]? { values[name] }
}
