import GatewayCore

/// Makes names that no other node and no other run will make: Lua's own random numbers repeat after each restart.
struct NameSource: Sendable {
    /// A room's next epoch: 48 random bits.
    func epoch() -> String {
        BulkRandom.names.name(digits: 12)
    }

    /// One command link: 32 random bits.
    func link() -> String {
        NameSource.hex(UInt64.random(in: 0..<(1 << 32)), digits: 8)
    }

    /// One process: 64 random bits.
    func instance() -> String {
        NameSource.hex(UInt64.random(in: .min ... .max), digits: 16)
    }

    private static func hex(_ value: UInt64, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: digits - text.count) + text
    }
}
