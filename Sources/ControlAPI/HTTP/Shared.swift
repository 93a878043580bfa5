/// A value in one place for all who read it: handing it on copies a reference, however much the value holds.
final class Shared<Value: Sendable>: Sendable {
    let value: Value

    init(_ value: Value) {
        self.value = value
    }
}
