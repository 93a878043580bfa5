import GatewayCore

/// The banned addresses, as Redis keeps them.
struct RedisAddressBans: AddressBans {
    /// Every node holds all of them in memory.
    private static let maxBans = 10_000

    let store: Store
    /// Called after a change: this node need not wait for its next look.
    let onChange: @Sendable () -> Void

    func ban(_ range: AddressRange, seconds: Int, reason: String) async throws(AddressBanError) -> AddressBan {
        let call = BanAddresses(range, seconds: seconds, reason: reason, most: RedisAddressBans.maxBans)
        let answer: BanAddresses.Answer
        do {
            answer = try await store.call(call)
        } catch {
            throw .backend(BackendError(error))
        }
        guard case .banned(let end) = answer else { throw .full }
        onChange()
        return AddressBan(range: range, until: end, reason: reason)
    }

    func lift(_ range: AddressRange) async throws(BackendError) -> Bool {
        let answer: LiftBan.Answer
        do {
            answer = try await store.call(LiftBan(of: range))
        } catch {
            throw BackendError(error)
        }
        onChange()
        return answer == .lifted
    }

    func bans() async throws(BackendError) -> [AddressBan] {
        do {
            return try await store.call(ReadBans()).bans
        } catch {
            throw BackendError(error)
        }
    }
}
