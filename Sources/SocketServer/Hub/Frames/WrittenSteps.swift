import Dialects
import GatewayCore
import NIOCore

/// Steps of a roster in another dialect, each of them written once, whoever is told which of them. It belongs to its hub's
/// event loop.
package final class WrittenSteps {
    private struct Key: Hashable {
        let user: UserID
        let kind: RosterEvent.Kind
    }

    /// All of them.
    package private(set) var whole = ByteBuffer()
    private let change: RosterChange
    private let writer: FrameWriter
    private let dialect: any Dialect
    /// Where each begins in `whole`, and the last one ends.
    private var bounds: [Int] = [0]
    /// Looked up only where somebody is told a part.
    private lazy var places: [Key: Int] = Dictionary(
        change.events.enumerated().map { (Key(user: $1.userId, kind: $1.kind), $0) },
        uniquingKeysWith: { _, last in last })
    /// Those that are no part of the whole: there they are undone, or lead elsewhere.
    private var apart: [Key: ByteBuffer] = [:]

    package init(_ change: RosterChange, in dialect: any Dialect, by writer: FrameWriter) {
        (self.change, self.dialect, self.writer) = (change, dialect, writer)
        for event in change.events {
            writer.write(.presence(one(event)), in: dialect, into: &whole)
            bounds.append(whole.writerIndex)
        }
    }

    /// Some of the steps, in their order; pieces of the whole where they are that.
    package func frames(of events: [RosterEvent]) -> [ByteBuffer] {
        guard !events.isEmpty else { return [] }
        var parts: [ByteBuffer] = []
        var run: Range<Int>?
        func end() {
            if let run, !run.isEmpty, let piece = whole.getSlice(at: run.lowerBound, length: run.count) {
                parts.append(piece)
            }
            run = nil
        }
        for event in events {
            let key = Key(user: event.userId, kind: event.kind)
            if let place = places[key] {
                let bytes = bounds[place]..<bounds[place + 1]
                if let before = run, before.upperBound == bytes.lowerBound {
                    run = before.lowerBound..<bytes.upperBound
                } else {
                    end()
                    run = bytes
                }
            } else {
                end()
                let frame = apart[key] ?? writer.frames(.presence(one(event)), in: dialect)
                apart[key] = frame
                if frame.readableBytes > 0 { parts.append(frame) }
            }
        }
        end()
        return parts
    }

    private func one(_ event: RosterEvent) -> RosterChange {
        var one = change
        one.events = [event]
        return one
    }
}
