import GatewayCore

/// Events of a roster as frames hold them, written once for frames that tell of all of them and of the latest only.
package struct WrittenEvents: Sendable {
    private var bytes: [UInt8] = []
    /// Where each begins.
    private var starts: [Int] = []

    package init() {}

    package var count: Int { starts.count }

    package mutating func append(_ event: RosterEvent) {
        if !bytes.isEmpty { JSONWriter.append(",", to: &bytes) }
        starts.append(bytes.count)
        switch event.kind {
        case .join: JSONWriter.append(#"{"event":"join","userId":"#, to: &bytes)
        case .leave: JSONWriter.append(#"{"event":"leave","userId":"#, to: &bytes)
        case .update: JSONWriter.append(#"{"event":"update","userId":"#, to: &bytes)
        }
        JSONWriter.append(string: event.userId.string, to: &bytes)
        if event.kind != .leave, let info = event.info {
            JSONWriter.append(#","info":"#, to: &bytes)
            bytes.append(contentsOf: info)
        }
        JSONWriter.append("}", to: &bytes)
    }

    /// So many of the latest, with commas between them.
    package func suffix(_ count: Int) -> ArraySlice<UInt8> {
        count > 0 ? bytes[starts[max(0, starts.count - count)]...] : []
    }
}
