/// The place of a call in a trace, as callers hand it on in `traceparent` (W3C Trace Context, section 3.2).
package struct TraceContext: Hashable, Sendable {
    package var traceHigh: UInt64
    package var traceLow: UInt64
    /// Of the call that this one belongs to.
    package var span: UInt64
    /// Whether the caller writes it down.
    package var isSampled: Bool

    package init(traceHigh: UInt64, traceLow: UInt64, span: UInt64, isSampled: Bool) {
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.span = span
        self.isSampled = isSampled
    }

    /// Nil for what is no such header; of a later version what this one has is read.
    package init?(_ text: String) {
        var text = text
        let read = text.withUTF8 { bytes -> TraceContext? in
            func number(_ range: Range<Int>) -> UInt64? {
                var number: UInt64 = 0
                for byte in bytes[range] {
                    switch byte {
                    case UInt8(ascii: "0")...UInt8(ascii: "9"): number = number << 4 | UInt64(byte - UInt8(ascii: "0"))
                    case UInt8(ascii: "a")...UInt8(ascii: "f"):
                        number = number << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
                    case _: return nil
                    }
                }
                return number
            }
            let dash = UInt8(ascii: "-")
            guard bytes.count >= 55, bytes[2] == dash, bytes[35] == dash, bytes[52] == dash,
                let version = number(0..<2), version != 0xFF,
                bytes.count == 55 || version > 0 && bytes[55] == dash,
                let high = number(3..<19), let low = number(19..<35), high | low != 0,
                let span = number(36..<52), span != 0, let flags = number(53..<55)
            else { return nil }
            return TraceContext(traceHigh: high, traceLow: low, span: span, isSampled: flags & 1 == 1)
        }
        guard let read else { return nil }
        self = read
    }

    /// As a header says it, in the first version.
    package var text: String { "00-\(traceText)-\(TraceContext.hex(span))-\(isSampled ? "01" : "00")" }

    /// 32 hexadecimal digits.
    package var traceText: String { TraceContext.hex(traceHigh) + TraceContext.hex(traceLow) }

    /// 16 hexadecimal digits.
    package var spanText: String { TraceContext.hex(span) }

    private static func hex(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}
