/// The reason why a load run could not be made; what a run found is in its report instead.
package struct BenchFailure: Error, CustomStringConvertible, Sendable {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
