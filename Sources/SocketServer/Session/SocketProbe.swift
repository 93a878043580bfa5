import GatewayCore
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The functions that find out what waits in a socket; on its event loop.
package struct SocketProbe: Sendable {
    /// Bytes that the channel has not handed to the system; nil for a channel that is closed or cannot tell.
    package var queuedBytes: @Sendable (any Channel) -> Int?
    /// Bytes that the system holds since the peer has not taken them.
    package var systemBytes: @Sendable (CInt) -> Int
    /// All of it.
    package var look: @Sendable (any Channel) -> SocketQueue.Look

    package init(
        queuedBytes: @escaping @Sendable (any Channel) -> Int?,
        systemBytes: @escaping @Sendable (CInt) -> Int,
        look: @escaping @Sendable (any Channel) -> SocketQueue.Look
    ) {
        self.queuedBytes = queuedBytes
        self.systemBytes = systemBytes
        self.look = look
    }

    /// Asks NIO, and the kernel for what lies there.
    package static let system = SocketProbe(
        queuedBytes: { SocketProbe.queuedBytes(of: $0) },
        systemBytes: { SocketProbe.untakenBytes(of: $0) },
        look: { channel in
            var look = SocketQueue.Look(queuedBytes: SocketProbe.queuedBytes(of: channel) ?? 0)
            // A channel that is closed already says so by itself.
            try? channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
                look.systemBytes = SocketProbe.untakenBytes(of: $0)
                look.takenBytes = SocketProbe.takenBytes(of: $0)
            }
            return look
        })

    private static func queuedBytes(of channel: any Channel) -> Int? {
        // It fails for a closed channel, which says so by itself.
        try? channel.syncOptions?.getOption(.bufferedWritableBytes)
    }

    /// Written and not acknowledged by the peer (tcp(7), SIOCOUTQ, which Linux gives the terminals' number for it).
    private static func untakenBytes(of descriptor: CInt) -> Int {
        #if os(Linux)
            var count: CInt = 0
            return ioctl(descriptor, UInt(TIOCOUTQ), &count) == 0 ? Int(count) : 0
        #else
            return 0
        #endif
    }

    /// The field `tcpi_bytes_acked` of Linux's `tcp_info`, which the C library's structure ends before.
    private static func takenBytes(of descriptor: CInt) -> UInt64? {
        #if os(Linux)
            let offset = 120
            return withUnsafeTemporaryAllocation(byteCount: 256, alignment: 8) { info in
                var length = socklen_t(info.count)
                guard getsockopt(descriptor, CInt(IPPROTO_TCP), TCP_INFO, info.baseAddress, &length) == 0,
                    Int(length) >= offset + 8
                else { return nil }
                return info.load(fromByteOffset: offset, as: UInt64.self)
            }
        #else
            return nil
        #endif
    }
}
