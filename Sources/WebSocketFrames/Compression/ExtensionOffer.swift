/// One extension that a `Sec-WebSocket-Extensions` header names, with its parameters (RFC 6455, section 9.1).
struct ExtensionOffer: Equatable {
    struct Parameter: Equatable {
        var name: String
        /// Nil where there is no `=`; free of quotes.
        var value: String?
    }

    var name: String
    var parameters: [Parameter] = []

    /// Extensions and parameters in all; browsers name three or four.
    static let maxNames = 64

    /// All extensions of all the header's lines, the most wanted first; nil where one breaks the grammar, or where they are
    /// very many.
    static func list(_ lines: some Sequence<String>) -> [ExtensionOffer]? {
        var offers: [ExtensionOffer] = []
        var names = maxNames
        for line in lines {
            var reader = HeaderReader(line)
            repeat {
                // A list may have empty elements (RFC 9110, section 5.6.1.2).
                if reader.isAtEndOfElement { continue }
                guard let offer = reader.offer(names: &names) else { return nil }
                offers.append(offer)
            } while reader.read(UInt8(ascii: ","))
            guard reader.isAtEnd else { return nil }
        }
        return offers
    }
}

/// Reads a header's value byte by byte; white space may stand around each separator.
private struct HeaderReader {
    private var rest: Substring.UTF8View

    init(_ value: String) {
        rest = Substring(value).utf8
        skipSpace()
    }

    var isAtEnd: Bool { rest.isEmpty }
    var isAtEndOfElement: Bool { rest.isEmpty || rest.first == UInt8(ascii: ",") }

    mutating func read(_ separator: UInt8) -> Bool {
        guard rest.first == separator else { return false }
        rest.removeFirst()
        skipSpace()
        return true
    }

    /// - Parameter names: how many more there may be.
    mutating func offer(names: inout Int) -> ExtensionOffer? {
        guard let name = name(&names) else { return nil }
        var offer = ExtensionOffer(name: name)
        while read(UInt8(ascii: ";")) {
            guard let name = self.name(&names) else { return nil }
            var value: String?
            if read(UInt8(ascii: "=")) {
                value = rest.first == UInt8(ascii: "\"") ? quoted() : token()
                guard value != nil else { return nil }
            }
            offer.parameters.append(ExtensionOffer.Parameter(name: name, value: value))
        }
        return offer
    }

    private mutating func name(_ left: inout Int) -> String? {
        guard left > 0 else { return nil }
        left -= 1
        return token()
    }

    private mutating func token() -> String? {
        let token = rest.prefix(while: HeaderReader.isTokenByte)
        guard !token.isEmpty else { return nil }
        rest = rest[token.endIndex...]
        skipSpace()
        return String(Substring(token))
    }

    /// What a quoted string says, which must be a token too.
    private mutating func quoted() -> String? {
        rest.removeFirst()
        var bytes: [UInt8] = []
        while let byte = rest.popFirst(), byte != UInt8(ascii: "\"") {
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            guard let escaped = rest.popFirst() else { return nil }
            bytes.append(escaped)
        }
        skipSpace()
        guard !bytes.isEmpty, bytes.allSatisfy(HeaderReader.isTokenByte) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    private mutating func skipSpace() {
        rest = rest.drop { $0 == 0x20 || $0 == 0x09 }
    }

    /// RFC 9110, section 5.6.2.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "#")...UInt8(ascii: "'"),
            UInt8(ascii: "^")...UInt8(ascii: "`"):
            true
        // The others of !#$%&'*+-.^_`|~
        case UInt8(ascii: "!"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
