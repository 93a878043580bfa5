import Testing
import WebSocketFrames

@Suite struct DeflateAgreementTests {
    private static let plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

    private func response(_ lines: String..., windowBits: ClosedRange<Int> = 9...15) throws -> String? {
        try DeflateAgreement.answering(lines, windowBits: windowBits)?.response
    }

    @Test(
        arguments: [
            ("permessage-deflate", plain),
            ("permessage-deflate; client_max_window_bits", plain),
            ("permessage-deflate; client_max_window_bits=8", plain),
            ("permessage-deflate; client_no_context_takeover", plain),
            ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", plain),
            ("permessage-deflate; server_max_window_bits=10", plain + "; server_max_window_bits=10"),
            ("permessage-deflate; server_max_window_bits=15", plain + "; server_max_window_bits=15"),
            ("permessage-deflate ;\tserver_max_window_bits = \"9\"", plain + "; server_max_window_bits=9"),
            ("Permessage-Deflate; Client_Max_Window_Bits", plain),
            ("x-webkit-deflate-frame, permessage-deflate", plain),
            ("x; a=1; b=\"\\2\" , , permessage-deflate", plain),
        ])
    func `an offer that can be met is met without context takeover`(offer: String, answer: String) throws {
        #expect(try response(offer) == answer)
    }

    @Test(
        arguments: [
            "", "permessage-bzip2", "permessage-deflate; x", "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover=\"true\"", "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=7", "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=010", "permessage-deflate; server_max_window_bits=+10",
            "permessage-deflate; server_max_window_bits=ten", "permessage-deflate; client_max_window_bits=0",
            "permessage-deflate; client_max_window_bits=08",
            "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
            "permessage-deflate; server_no_context_takeover; SERVER_NO_CONTEXT_TAKEOVER",
        ])
    func `an offer with anything unknown, repeated or out of range is declined`(offer: String) throws {
        #expect(try response(offer) == nil)
        #expect(try response(offer, "permessage-deflate") == Self.plain)
    }

    @Test func `a window that zlib cannot compress with is declined, and the next offer is looked at`() throws {
        let offers = "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=12"
        #expect(try response(offers) == Self.plain + "; server_max_window_bits=12")
        #expect(try response("permessage-deflate; server_max_window_bits=8") == nil)
    }

    @Test func `a server with one window for all declines what asks for a smaller one`() throws {
        let small = "permessage-deflate; server_max_window_bits=14"
        #expect(try response(small, windowBits: 15...15) == nil)
        #expect(try response(small + ", permessage-deflate", windowBits: 15...15) == Self.plain)
        let agreement = try DeflateAgreement.answering([small], windowBits: 9...12)
        #expect(agreement?.windowBits == 12)
        #expect(agreement?.response == Self.plain + "; server_max_window_bits=12")
    }

    @Test(
        arguments: [
            ";", "permessage-deflate;", "permessage-deflate; =1", "permessage-deflate; a=", "permessage-deflate a",
            "permessage-deflate; a=\"", "permessage-deflate; a=\"\"", "permessage-deflate; a=\"b c\"", "a=b",
            "permessage-deflate; a=\"b\\", "perm\u{e9}ssage", "permessage-deflate; a=b=c",
        ])
    func `a header that breaks the grammar is an error, whatever else is offered`(line: String) {
        #expect(throws: DeflateAgreement.MalformedOffers.self) { try response("permessage-deflate", line) }
    }

    @Test func `more names than anybody needs are not read to their end`() throws {
        let fair = (1...62).map { "a\($0)" }.joined(separator: ", ") + ", permessage-deflate"
        #expect(try response(fair) != nil)
        let many = (1...64).map { "a\($0)" }.joined(separator: ", ") + ", permessage-deflate"
        #expect(throws: DeflateAgreement.MalformedOffers.self) { try response(many) }
        let parameters = "permessage-deflate" + (1...64).map { "; a\($0)" }.joined()
        #expect(throws: DeflateAgreement.MalformedOffers.self) { try response(parameters) }
    }
}
