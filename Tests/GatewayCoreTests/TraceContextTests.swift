import GatewayCore
import Testing

@Suite("The header traceparent")
struct TraceContextTests {
    private static let example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test func `the example of the standard is read and said as it was`() throws {
        let trace = try #require(TraceContext(Self.example))
        #expect(trace.traceText == "4bf92f3577b34da6a3ce929d0e0e4736" && trace.spanText == "00f067aa0ba902b7")
        #expect(trace.isSampled && trace.text == Self.example)
        let unsampled = try #require(TraceContext(Self.example.dropLast(2) + "00"))
        #expect(!unsampled.isSampled && unsampled.text.hasSuffix("-00"))
    }

    @Test func `flags that are not known count for nothing`() throws {
        #expect(try #require(TraceContext(Self.example.dropLast(2) + "fe")).isSampled == false)
        #expect(try #require(TraceContext(Self.example.dropLast(2) + "ff")).isSampled)
    }

    @Test func `of a later version what this one has is read`() throws {
        let later = "cc" + Self.example.dropFirst(2)
        #expect(try #require(TraceContext(later)).text == Self.example)
        #expect(TraceContext(later + "-what-the-future-will-be-like") != nil)
        #expect(TraceContext(later + ".more") == nil)
    }

    @Test(arguments: [
        "", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
        "00-4bf92f3577b34da6a3ce929d0e0e47é-00f067aa0ba902b7-01",
    ])
    func `anything else is none`(_ text: String) {
        #expect(TraceContext(text) == nil)
    }
}
