import Dialects
import GatewayCore

extension JSONWriter {
    /// The elements of an array with commas in between, without its brackets.
    static func append<Element>(
        _ elements: some Sequence<Element>, to bytes: inout [UInt8], each: (Element, inout [UInt8]) -> Void
    ) {
        var isFirst = true
        for element in elements {
            if !isFirst { append(",", to: &bytes) }
            isFirst = false
            each(element, &bytes)
        }
    }

    /// The `next` of a page that is not the last.
    static func append(next: String?, to bytes: inout [UInt8]) {
        guard let next else { return }
        append(#","next":"#, to: &bytes)
        append(string: next, to: &bytes)
    }
}
