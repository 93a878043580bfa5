import GatewayCore
import RedisClient

/// The banned addresses, as Redis keeps them.
struct RedisAddressBans: AddressBans {
    /// Every node holds all of them in memory.
    static let maxBans = 10_000

    let store: Store
    /// Called after a change: this node need not wait for its next look.
    let onChange: @Sendable () -> Void

    func ban(_ range: AddressRange, seconds: Int, reason: String) async throws(AddressBanError) -> AddressBan {
        let reply: RedisReply
        do {
            reply = try await store.call(
                Scripts.ban, keys: store.keys.addressBans,
                arguments: [
                    .string(range.description), .integer(Int64(seconds)), .string(reason),
                    .integer(Int64(RedisAddressBans.maxBans)),
                ])
        } catch {
            throw .backend(BackendError(error))
        }
        guard reply[0].string == "ok", let end = reply[1].integer else { throw .full }
        onChange()
        return AddressBan(range: range, until: end, reason: reason)
    }

    func lift(_ range: AddressRange) async throws(BackendError) -> Bool {
        let reply: RedisReply
        do {
            reply = try await store.call(
                Scripts.lift, keys: store.keys.addressBans, arguments: [.string(range.description)])
        } catch {
            throw BackendError(error)
        }
        onChange()
        return reply.integer == 1
    }

    func bans() async throws(BackendError) -> [AddressBan] {
        do {
            return AddressBanList(
                try await store.call(Scripts.bans, keys: store.keys.addressBans, arguments: [])
            ).bans
        } catch {
            throw BackendError(error)
        }
    }
}

/// What `bans` answers.
struct AddressBanList {
    /// By Redis's clock, in milliseconds since 1970.
    let now: Int64
    let version: String
    let bans: [AddressBan]

    init(_ reply: RedisReply) {
        now = reply[0].integer ?? 0
        version = reply[1].string ?? ""
        bans = stride(from: 2, to: reply.count - 2, by: 3).compactMap { index in
            guard let range = reply[index].string.flatMap({ AddressRange($0) }),
                let until = reply[index + 1].string.flatMap({ Int64($0) })
            else { return nil }
            return AddressBan(range: range, until: until, reason: reply[index + 2].string ?? "")
        }
    }
}
