/// Operations that wait until the node may write, in their order and bounded.
struct WaitingOperations {
    /// Beyond it they are given up, and their partition is compared later.
    static let most = 100_000

    private enum Gate {
        case open
        /// From the first operation that had to wait until all that wait are carried out, so that none is overtaken.
        case shut
    }

    private var gate = Gate.shut
    private var isStopped = false
    private var operations: [RegistrationMachine.Operation] = []

    /// Whether an operation may be carried out, if the node may write.
    var isOpen: Bool { gate == .open }

    mutating func shut() { gate = .shut }

    /// Keeps an operation; answers with it where there is no place.
    mutating func add(_ operation: RegistrationMachine.Operation) -> RegistrationMachine.Operation? {
        guard !isStopped, operations.count < WaitingOperations.most else { return operation }
        operations.append(operation)
        return nil
    }

    /// All may be carried out: those that wait first.
    mutating func open() -> [RegistrationMachine.Operation] {
        gate = .open
        defer { operations = [] }
        return operations
    }

    /// None waits any more.
    mutating func stop() -> [RegistrationMachine.Operation] {
        isStopped = true
        defer { operations = [] }
        return operations
    }
}
