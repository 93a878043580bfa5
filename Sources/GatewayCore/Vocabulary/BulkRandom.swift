import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A stock of the system's random bits, fetched many at a time: fetching them is a system call, and names need few.
///
/// Any thread may ask. What was fetched lies in memory until it is asked for, so that no key is made of it: names only,
/// and those of sessions, which the node holds in memory by the thousand as they are.
package final class BulkRandom: Sendable {
    private let fetched = Mutex<[UInt64]>([])

    /// Numbers that are fetched at once: 256 bytes, the most that getentropy(3) gives.
    private static let count = 32

    /// What names are made of that nobody may make twice.
    package static let names = BulkRandom()

    private init() {}

    package func next() -> UInt64 {
        fetched.withLock { fetched in
            if let number = fetched.popLast() { return number }
            fetched = BulkRandom.fetch()
            return fetched.popLast() ?? .random(in: .min ... .max)
        }
    }

    /// A name of so many hexadecimal digits, of 4 random bits each.
    package func name(digits: Int) -> String {
        String(unsafeUninitializedCapacity: digits) { bytes in
            var bits: UInt64 = 0
            for index in 0..<digits {
                if index % 16 == 0 { bits = next() }
                let digit = UInt8(bits & 0xF)
                bytes[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
                bits >>= 4
            }
            return digits
        }
    }

    /// Empty where the system gives none so.
    private static func fetch() -> [UInt64] {
        [UInt64](unsafeUninitializedCapacity: count) { numbers, initializedCount in
            guard let start = numbers.baseAddress, getentropy(start, count * MemoryLayout<UInt64>.stride) == 0 else {
                return
            }
            initializedCount = count
        }
    }
}
