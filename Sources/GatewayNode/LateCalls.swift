import GatewayCore

/// Calls of backends on the port for clients, once there is something that answers them: the two ports know each other.
final class LateCalls: SignedCalls {
    let calls = Current<(any SignedCalls)?>(nil)

    func admit(_ head: SignedCallHead) -> SignedCallVerdict { calls.now?.admit(head) ?? .absent }
}
