import GatewayCore
import Synchronization

/// Bans of addresses in memory, at a time that stands still.
final class FixedBans: AddressBans, Sendable {
    struct State {
        var bans: [AddressRange: AddressBan] = [:]
        var isFull = false
        /// What everything is answered with.
        var outage: BackendError?
    }

    static let now: Int64 = 1_700_000_000_000

    let state = Mutex(State())

    func ban(_ range: AddressRange, seconds: Int, reason: String) async throws(AddressBanError) -> AddressBan {
        let result = state.withLock { state -> Result<AddressBan, AddressBanError> in
            if let error = state.outage { return .failure(.backend(error)) }
            if state.isFull { return .failure(.full) }
            let ban = AddressBan(range: range, until: FixedBans.now + Int64(seconds) * 1000, reason: reason)
            state.bans[range] = ban
            return .success(ban)
        }
        return try result.get()
    }

    func lift(_ range: AddressRange) async throws(BackendError) -> Bool {
        let state = try ask { $0.bans.removeValue(forKey: range) != nil }
        return state
    }

    func bans() async throws(BackendError) -> [AddressBan] {
        try ask { Array($0.bans.values) }
    }

    private func ask<Answer: Sendable>(_ body: (inout State) -> Answer) throws(BackendError) -> Answer {
        let result = state.withLock { state -> Result<Answer, BackendError> in
            if let error = state.outage { return .failure(error) }
            return .success(body(&state))
        }
        return try result.get()
    }
}

/// Spenders that are whoever a test says.
final class FixedSpenders: SpenderDirectory, Sendable {
    let spenders = Mutex<[SpenderKind: [Spender]]>([:])

    func spenders(_ kind: SpenderKind) async throws(BackendError) -> [Spender] {
        spenders.withLock { $0[kind] ?? [] }
    }
}
