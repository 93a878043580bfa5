/// The reason why a node did not start or had to end, and the exit status that tells a supervisor (sysexits.h).
package struct NodeFailure: Error, CustomStringConvertible {
    /// One line for the operator.
    package let description: String
    package let status: Int32

    package init(_ description: String, status: Int32) {
        self.description = description
        self.status = status
    }

    /// 69: something the node needs is missing or gone.
    package static let unavailable: Int32 = 69
    /// 75: another node has taken the name; starting anew may succeed.
    package static let nameTaken: Int32 = 75
    /// 78: the configuration is wrong.
    package static let configuration: Int32 = 78
}
