import Synchronization

/// In which format all nodes write, as the registrar's beats tell it; read on any thread.
final class WrittenFormat: Sendable {
    /// The first in which nodes know of changes of what is shown, of guests, and of how many connections a room has.
    static let ofGuests = 3

    private let value = Atomic<Int>(0)

    /// 0 until a beat has told.
    var number: Int { value.load(ordering: .relaxed) }

    /// Whether all nodes know what came with guests.
    var knowsGuests: Bool { number >= WrittenFormat.ofGuests }

    func became(_ number: Int) { value.store(number, ordering: .relaxed) }
}
