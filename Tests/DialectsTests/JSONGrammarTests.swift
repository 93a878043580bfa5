import Dialects
import Testing

/// What RFC 8259 accepts and what it does not, case by case, as a payload and as a text of its own.
@Suite struct JSONGrammarTests {
    /// The whole text as one value, in memory that ends where the text ends.
    private func scan(_ text: [UInt8]) throws(JSONError) -> [UInt8] {
        try Edge.with(text) { (bytes) throws(JSONError) in
            var scanner = JSONScanner(bytes)
            let value = try scanner.value()
            try scanner.end()
            return Array(value.bytes)
        }
    }

    @Test(arguments: [
        "0", "-0", "7", "-12", "0.5", "-0.0", "1e5", "1E+5", "1e-05", "0e0", "0.1e10", "1e400", "-1e-400",
        "123456789012345678901234567890", "3.141592653589793238462643383279", "9007199254740993",
        "true", "false", "null", #""""#, #""a""#, #""\"\\\/\b\f\n\r\t""#, #""\u0000""#, #""\uD834\uDD1E""#,
        #""\ud800""#, #""\udc00\ud800""#, #""\uFFFF""#, "\"\u{7F}\"", "\"\u{2028}\"", "\"é😀\"", #""/""#,
        #""eight by""#, #""eight byt""#, "[]", "{}", "[[]]", "[{}]", #"{"":0}"#, #"{"a":{"b":[1,2,{"c":null}]}}"#,
        "[1,2]", "[ 1 , 2 ]", "{ }", "[ ]", #"{"a":1,"a":2}"#, " [] ", "\t[\n]\r\n", #"{ "a" : 1 , "b" : [ ] }"#,
        #"["",0,true,null,{},[]]"#, #"[[],[[]],{},{"a":[]}]"#,
    ])
    func `what the grammar allows is taken as it stands`(text: String) throws {
        let trimmed = text.drop { " \t\r\n".contains($0) }.reversed().drop { " \t\r\n".contains($0) }.reversed()
        #expect(try scan(Array(text.utf8)) == Array(String(trimmed).utf8))
    }

    @Test(arguments: [
        "", " ", "x", "-", "+1", "01", "-01", "00", "1.", ".5", "-.5", "1.e5", "1e", "1e+", "1E-", "0x10", "1_0", "1a",
        "- 1", "1 2", "NaN", "Infinity", "-Infinity", "nan", "True", "TRUE", "tru", "truex", "nul", "nulll", "falsy",
        "'a'", "\"", "\"a", #""\""#, #""\x41""#, #""\u12""#, #""\u12G4""#, #""\u""#, #""\u123""#, #""\U0041""#,
        #""\a""#,
        #""\ ""#, "\"\n\"", "\"\t\"", "\"\u{0}\"", "\"\u{1F}\"", "\"eight by\u{1}\"", "a\"", "[", "]", "[1", "[1,",
        "[1,]", "[,1]", "[,]", "[1,,2]", "[1 2]", "[1;2]", "[1}", "{", "}", "{]", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#,
        #"{,"a":1}"#, #"{"a" 1}"#, #"{"a"::1}"#, #"{a:1}"#, #"{1:1}"#, #"{'a':1}"#, #"{"a":1"b":2}"#, #"{"a":1]"#,
        #"{"a":1}}"#, #"{"a":1} {"#, "[]]", "[][]", "[] x", "/* */1", "1//", "[1]#", "\u{FEFF}1", "\u{A0}1", "\u{C}1",
        "\u{B}[]", "[1\u{0}]", "\u{0}", "1\u{0}", "[\"a\"b]", "{\"a\":tru}", "[nul]", "[-]", "[1.]", "[1e]", "[01]",
        "[\u{1}]", #"["\uD83"]"#, "<null>", "[*]", "undefined", "\\u0022a\"",
    ])
    func `what the grammar does not allow is refused`(text: String) {
        #expect(throws: JSONError.self) { try scan(Array(text.utf8)) }
    }

    @Test func `bytes that are no UTF-8 harm nobody`() {
        for byte in UInt8.min...UInt8.max {
            _ = try? scan([byte])
            _ = try? scan([UInt8(ascii: "["), byte])
            _ = try? scan([UInt8(ascii: "\""), byte, UInt8(ascii: "\"")])
            _ = try? scan([UInt8(ascii: "\""), UInt8(ascii: "\\"), byte])
            _ = try? scan([UInt8(ascii: "1"), byte])
        }
    }

    @Test func `64 containers inside each other are read, 65 are not`() throws {
        for (opening, inside, closing) in [("[", "", "]"), (#"{"a":"#, "1", "}"), (#"[{"a":"#, "[]", "}]")] {
            let width = opening.filter { "[{".contains($0) }.count
            let levels = (JSONScanner.maxDepth - (inside == "[]" ? 1 : 0)) / width
            func nested(_ count: Int) -> [UInt8] {
                Array(
                    (String(repeating: opening, count: count) + inside + String(repeating: closing, count: count)).utf8)
            }
            #expect(try scan(nested(levels)) == nested(levels))
            let error = #expect(throws: JSONError.self) { try scan(nested(levels + 1)) }
            #expect(error?.reason == .tooDeep)
        }
    }

    @Test func `nesting of 10,000, closed or not, is refused where it gets too deep`() {
        for text in [
            String(repeating: "[", count: 10_000), String(repeating: #"{"a":"#, count: 10_000),
            String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000),
        ] {
            #expect(throws: JSONError.self) { try scan(Array(text.utf8)) }
        }
    }

    @Test func `an error names the byte at which it stands`() {
        let places: [(String, JSONError)] = [
            ("[1,x]", JSONError(.unexpectedByte, at: 3)), ("[1,", JSONError(.unexpectedEnd, at: 3)),
            ("\"a\nb\"", JSONError(.controlCharacter, at: 2)), (#"["\q"]"#, JSONError(.badEscape, at: 2)),
            ("[01]", JSONError(.badNumber, at: 2)), ("[1.]", JSONError(.badNumber, at: 3)),
            ("1e", JSONError(.unexpectedEnd, at: 2)),
        ]
        for (text, expected) in places {
            let error = #expect(throws: JSONError.self) { try scan(Array(text.utf8)) }
            #expect(error == expected)
        }
    }

    @Test(arguments: [
        ("0", 0), ("-0", 0), ("42", 42), ("-42", -42), ("9223372036854775807", Int.max),
        ("-9223372036854775808", Int.min), ("9223372036854775808", nil), ("-9223372036854775809", nil), ("1.0", nil),
        ("1e2", nil), (#""1""#, nil), ("123456789012345678901234567890", nil),
    ])
    func `an integer is read where it fits`(text: String, expected: Int?) throws {
        let integer = try Edge.with(Array(text.utf8)) { (bytes) throws(JSONError) in
            var scanner = JSONScanner(bytes)
            return try scanner.value().integer
        }
        #expect(integer == expected)
    }

    @Test(arguments: [
        (#""plain""#, "plain"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u00e9\u20AC""#, "é€"),
        (#""\uD834\uDD1E""#, "\u{1D11E}"), (#""a\u0000b""#, "a\u{0}b"), (#""\uD834""#, nil), (#""\uD834x""#, nil),
        (#""\uD834\n""#, nil), (#""\uD834\uD834""#, nil), (#""\uDD1E""#, nil), (#""\uDD1E\uD834""#, nil), ("5", nil),
    ])
    func `a string is read with its escapes undone`(text: String, expected: String?) throws {
        let string = try Edge.with(Array(text.utf8)) { (bytes) throws(JSONError) in
            var scanner = JSONScanner(bytes)
            return try scanner.value().string?.text
        }
        #expect(string == expected)
    }
}
