import Synchronization

/// A value that is replaced while others go by it. Any thread may do either.
package final class Current<Value: Sendable>: Sendable {
    private let value: Mutex<Value>

    package init(_ value: Value) {
        self.value = Mutex(value)
    }

    package var now: Value { value.withLock { $0 } }

    package func replace(_ next: Value) {
        value.withLock { $0 = next }
    }
}
