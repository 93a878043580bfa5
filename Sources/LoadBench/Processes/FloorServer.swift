import CLoadLoop
import Foundation
import Glibc

/// The bare C server that the gateway is measured against.
package enum FloorServer {
    /// What the process of a floor server does: says its port on standard output, serves until its input is closed.
    package static func run() throws {
        Descriptors.raiseLimit()
        let (listener, port) = try open()
        try FileHandle.standardOutput.write(contentsOf: Data("\(port)\n".utf8))
        try serve(listener, lifeline: 0)
    }

    /// Opens the listener on 127.0.0.1.
    package static func open() throws(BenchFailure) -> (listener: Int32, port: UInt16) {
        var port: UInt16 = 0
        let listener = load_floor_listen(&port)
        guard listener >= 0 else { throw BenchFailure("floor: \(String(cString: strerror(-listener)))") }
        return (listener, port)
    }

    /// Serves on the calling thread until `lifeline` can be read or its other end is closed.
    package static func serve(_ listener: Int32, lifeline: Int32) throws(BenchFailure) {
        let result = load_floor_serve(listener, lifeline)
        guard result == 0 else { throw BenchFailure("floor: \(String(cString: strerror(-result)))") }
    }
}
