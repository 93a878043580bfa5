import Dialects
import GatewayCore

/// The path and query of a request, taken apart and percent-decoded strictly (RFC 3986, section 2.1).
struct RequestTarget: Sendable {
    /// Decoded one by one, so that `%2F` stays within its segment; a slash at the end adds none.
    let segments: [String]
    let query: [(name: String, value: String)]

    /// Both as they stand in the request, undecoded; `query` without its `?`.
    init(path: String, query: String?) throws(RequestError) {
        var segments: [String] = []
        var parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)[...]
        if parts.first?.isEmpty == true { parts.removeFirst() }
        if parts.last?.isEmpty == true { parts.removeLast() }
        for segment in parts {
            guard let decoded = RequestTarget.decode(segment, plusIsSpace: false) else {
                throw RequestError(.badRequest, "path: bad percent-encoding")
            }
            segments.append(decoded)
        }
        self.segments = segments

        guard let pairs = RequestTarget.pairs(query ?? "", read: { RequestTarget.decode($0, plusIsSpace: true) }) else {
            throw RequestError(.badRequest, "query: bad percent-encoding")
        }
        self.query = pairs
    }

    /// The names and values of a query, each as `read` has it; nil where one cannot be read.
    static func pairs(
        _ query: String, read: (Substring.UTF8View) -> String?
    ) -> [(name: String, value: String)]? {
        var pairs: [(name: String, value: String)] = []
        for pair in query[...].utf8.split(separator: UInt8(ascii: "&")) {
            let end = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            let rest = end < pair.endIndex ? pair[pair.index(after: end)...] : pair[end...]
            guard let name = read(pair[..<end]), let value = read(rest) else { return nil }
            pairs.append((name, value))
        }
        return pairs
    }

    /// The value of a parameter, nil where it is not given; given twice it is refused, since nobody knows which was meant.
    func value(_ name: String) throws(RequestError) -> String? {
        let values = query.filter { $0.name == name }
        guard values.count < 2 else { throw RequestError(.badRequest, "\(name): given twice") }
        return values.first?.value
    }

    /// A decimal integer within the range, nil where the parameter is not given.
    func integer(_ name: String, in range: ClosedRange<Int>) throws(RequestError) -> Int? {
        guard let text = try value(name) else { return nil }
        guard let number = Int(text), range.contains(number), text.utf8.allSatisfy({ (48...57).contains($0) }) else {
            let bounds =
                range.upperBound == .max ? "from \(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
            throw RequestError(.badRequest, "\(name): must be an integer, \(bounds)")
        }
        return number
    }

    static func decode(_ text: some Collection<UInt8>, plusIsSpace: Bool) -> String? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var rest = text.makeIterator()
        while let byte = rest.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.next().flatMap(JSONScanner.hexDigit),
                    let low = rest.next().flatMap(JSONScanner.hexDigit)
                else { return nil }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
