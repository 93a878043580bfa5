import Synchronization

/// A value that is replaced while others go by it. Any thread may do either.
package final class Current<Value: Sendable>: Sendable {
    @usableFromInline let value: Mutex<Value>

    package init(_ value: Value) {
        self.value = Mutex(value)
    }

    /// Seen through by other modules, which else would call it unspecialized for each message.
    @inlinable package var now: Value { value.withLock { $0 } }

    package func replace(_ next: Value) {
        value.withLock { $0 = next }
    }
}
