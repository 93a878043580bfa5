import Synchronization

/// In which format all nodes write, as the registrar's beats tell it; read on any thread.
final class WrittenFormat: Sendable {
    private let value = Atomic<Int>(0)

    /// 0 until a beat has told.
    var number: Int { value.load(ordering: .relaxed) }

    func became(_ number: Int) { value.store(number, ordering: .relaxed) }
}
