import TestKit

extension HostileSocket {
    /// Whether the gateway has neither closed it nor said goodbye, which attackers do not answer.
    var isServed: Bool { isOpen && closeCode == nil }
}
