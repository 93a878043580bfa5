#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// `send(2)` on a socket of a channel, past the channel.
package enum DirectSend {
    /// Hands bytes to the system without waiting.
    ///
    /// - Returns: how many it took. None where there is no room, and none where the socket is broken: the rest is written
    ///   through the channel, which finds the same there and ends.
    package static func send(_ bytes: UnsafeRawBufferPointer, to descriptor: CInt) -> Int {
        while true {
            #if canImport(Glibc)
                let sent = Glibc.send(descriptor, bytes.baseAddress, bytes.count, flags)
            #elseif canImport(Musl)
                let sent = Musl.send(descriptor, bytes.baseAddress, bytes.count, flags)
            #elseif canImport(Darwin)
                let sent = Darwin.send(descriptor, bytes.baseAddress, bytes.count, flags)
            #endif
            if sent >= 0 { return sent }
            guard errno == EINTR else { return 0 }
        }
    }

    #if canImport(Darwin)
        // NIO has set SO_NOSIGPIPE on each of its sockets.
        private static let flags = CInt(MSG_DONTWAIT)
    #else
        private static let flags = CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL)
    #endif
}
