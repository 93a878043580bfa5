import CLoadLoop
import Glibc
import NIOCore

/// Many sockets on one epoll descriptor; owned and used by one thread.
package final class SocketLoop {
    /// An event of one socket. `bytes` are valid until the loop is polled again.
    package struct Event {
        package enum Kind {
            case opened
            /// An HTTP response: its status, and head and body as bytes.
            case response(status: Int)
            /// A whole WebSocket message.
            case message
            /// Bytes of an adopted descriptor, cut anywhere.
            case bytes
            case closed(Ending)
        }

        package let tag: Tag
        package let slot: UInt32
        package let kind: Kind
        package let bytes: UnsafeRawBufferPointer
        /// `Clock.now` as it was read.
        package let received: UInt64
    }

    /// The way in which a connection ended.
    package enum Ending: Hashable, CustomStringConvertible {
        case code(Int)
        case bare
        case failure(Int32)

        package var description: String {
            switch self {
            case .code(let code): "closed by the server with \(code)"
            case .bare: "ended by the server without a close frame"
            case .failure(EPROTO): "the server broke the protocol"
            case .failure(let number): String(cString: strerror(number))
            }
        }
    }

    /// The owner of a socket: a role and a number within it.
    package struct Tag: Hashable {
        package let role: UInt32
        package let index: Int

        package init(role: UInt32, index: Int) {
            self.role = role
            self.index = index
        }

        fileprivate init(_ bits: UInt64) {
            self.init(role: UInt32(truncatingIfNeeded: bits >> 32), index: Int(bits & 0xFFFF_FFFF))
        }

        fileprivate var bits: UInt64 { UInt64(role) << 32 | UInt64(UInt32(truncatingIfNeeded: index)) }
    }

    private let loop: OpaquePointer

    package init() throws(BenchFailure) {
        guard let loop = load_loop_create() else { throw BenchFailure("no memory or descriptors for a socket loop") }
        self.loop = loop
    }

    deinit {
        load_loop_free(loop)
    }

    /// Begins a connection and returns its slot; `source` is an address of 127.0.0.0/8, 0 leaves it to the system.
    package func connect(_ tag: Tag, to target: LoopbackTarget, from source: UInt32 = 0) -> Result<UInt32, Errno> {
        result(load_loop_connect(loop, tag.bits, target.address, target.port, source))
    }

    /// Watches a readable descriptor, which the loop closes in the end.
    package func adopt(_ tag: Tag, descriptor: Int32) -> Result<UInt32, Errno> {
        result(load_loop_adopt(loop, tag.bits, descriptor))
    }

    /// Sends what can be read of `bytes`; a failure shows as `closed` later, a full queue as a lost message.
    package func send(_ bytes: ByteBuffer, to slot: UInt32) {
        bytes.withUnsafeReadableBytes { _ = load_loop_send(loop, slot, $0.baseAddress, $0.count) }
    }

    package func close(_ slot: UInt32) {
        load_loop_close(loop, slot, 1)
    }

    /// Waits until something happens, but not beyond `deadline`, and hands each event on.
    package func poll(until deadline: UInt64, _ body: (Event) -> Void) throws(BenchFailure) {
        var events: UnsafePointer<load_event>?
        let now = Clock.now
        let count = load_loop_poll(loop, deadline > now ? deadline - now : 0, &events)
        guard count >= 0 else { throw BenchFailure("epoll: \(String(cString: strerror(Int32(-count))))") }
        for event in UnsafeBufferPointer(start: events, count: Int(count)) {
            guard let kind = SocketLoop.kind(of: event) else { continue }
            body(
                Event(
                    tag: Tag(event.tag), slot: event.slot, kind: kind,
                    bytes: UnsafeRawBufferPointer(start: event.bytes, count: Int(event.count)),
                    received: event.received))
        }
    }

    private static func kind(of event: load_event) -> Event.Kind? {
        switch event.kind {
        case LOAD_OPENED.rawValue: .opened
        case LOAD_RESPONSE.rawValue: .response(status: Int(event.value))
        case LOAD_MESSAGE.rawValue: .message
        case LOAD_BYTES.rawValue: .bytes
        case LOAD_CLOSED.rawValue:
            .closed(event.value > 0 ? .code(Int(event.value)) : event.value == 0 ? .bare : .failure(-event.value))
        default: nil
        }
    }

    private func result(_ value: Int64) -> Result<UInt32, Errno> {
        value < 0 ? .failure(Errno(number: Int32(-value))) : .success(UInt32(value))
    }
}

/// A number of errno.
package struct Errno: Error, CustomStringConvertible {
    let number: Int32

    package var description: String { String(cString: strerror(number)) }
}

/// The machine's monotonic clock: the same for all its processes.
package enum Clock {
    /// Nanoseconds since some moment in the past.
    package static var now: UInt64 { load_now() }

    package static func after(seconds: Double) -> UInt64 { now + UInt64(max(0, seconds) * 1e9) }
}
