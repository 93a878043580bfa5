import Glibc

/// A port of 127.0.0.1 at which nobody listens, and which nobody else is given.
package struct ReservedPort: ~Copyable {
    private let descriptor: Int32
    package let number: Int

    package struct Failure: Error {
        package let code: Int32
    }

    package init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutableBytes(of: &address) { bytes in
            let address = bytes.assumingMemoryBound(to: sockaddr.self).baseAddress
            guard let address, bind(descriptor, address, length) == 0 else { return errno }
            return getsockname(descriptor, address, &length) == 0 ? 0 : errno
        }
        self.descriptor = descriptor
        number = Int(UInt16(bigEndian: address.sin_port))
        guard code == 0 else { throw Failure(code: code) }
    }

    deinit {
        close(descriptor)
    }
}
